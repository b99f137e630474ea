/**
 * What is on the disk for certain when the power fails, by one of two rules.
 *
 * `strict` is what POSIX promises and no more: fsync of a file keeps its data and its size; a name is kept by fsync of its
 * folder. Everything else may be there or not, each by itself. This is the weakest model of "All File Systems Are Not
 * Created Equal" (Pillai and others, OSDI 2014, section 3), where single folder operations are atomic.
 *
 * `ext4` is ext4 as distributions mount it (data=ordered, auto_da_alloc, delayed allocation, without fast commits; the
 * kernel's Documentation/filesystems/ext4 and admin-guide/ext4.rst). It keeps more:
 *   - names, removals and truncations go through one journal, so they survive up to some point of time and not beyond;
 *   - fsync of a file commits that journal up to the last change of that very file, names of other files before it included;
 *   - a new size is committed only after the data under it, so what was appended survives up to some byte and not beyond;
 *   - a rename over an existing file comes with the data of the renamed one.
 *
 * In both a call that had begun when the power failed may have had its effect or not, and a sync counts only if it had
 * returned, and only for what had returned before it began. The disk itself keeps what it was told to flush.
 */
import type { DiskOp, Inode } from './disk-op.ts'

export type FileSystem = 'strict' | 'ext4'

export type Cut = {
  /** When the power fails, microseconds since 1970. */
  at: number
  fileSystem: FileSystem
  /** All that had ended by then was on the disk already: the system had been up for long enough. @default 0 */
  settledAt?: number
}

/** Which of the operations that had begun are on the disk for certain. */
export function durableOps(ops: readonly DiskOp[], cut: Cut): Set<DiskOp> {
  const { at, fileSystem, settledAt = 0 } = cut
  const durable = new Set<DiskOp>()
  const unsynced = new ByInode()
  const changes = new ByInode()
  let committed = -1
  for (const [index, op] of ops.entries()) {
    if (op.begunAt > at) continue
    if (op.endedAt <= Math.min(settledAt, at)) durable.add(op)
    for (const inode of keptBySyncOf(op)) unsynced.add(inode, op, index)
    for (const inode of changedBy(op)) changes.add(inode, op, index)
    if (op.endedAt > at) continue
    if (op.kind === 'write' && op.synced) durable.add(op)
    if (op.kind === 'sync') for (const kept of unsynced.takeEnded(op.inode, op.begunAt)) durable.add(kept)
    if (op.kind === 'sync') committed = Math.max(committed, changes.lastEnded(op.inode, op.begunAt))
    if (op.kind === 'write' && op.synced) committed = Math.max(committed, changes.lastEnded(op.inode, op.endedAt))
  }
  if (fileSystem === 'ext4') for (const op of ops.slice(0, committed + 1)) if (isMetadata(op)) durable.add(op)
  return durable
}

/** Whether an operation changes names or sizes, and not only what is inside. */
export function isMetadata(op: DiskOp): boolean {
  return op.kind === 'create' || op.kind === 'rename' || op.kind === 'unlink' || op.kind === 'truncate'
}

/** A rename between two folders needs both by POSIX; the new place counts here. */
function keptBySyncOf(op: DiskOp): Inode[] {
  if (op.kind === 'create' || op.kind === 'unlink') return [op.folder]
  if (op.kind === 'rename') return [op.to.folder]
  return op.kind === 'sync' ? [] : [op.inode]
}

/** Whose inode is written to the journal. A write that makes nothing longer changes no more than a time. */
function changedBy(op: DiskOp): Inode[] {
  if (op.kind === 'sync') return []
  if (op.kind === 'write') return op.offset + op.data.length > op.sizeBefore ? [op.inode] : []
  return [...new Set([...keptBySyncOf(op), op.inode])]
}

type Numbered = { op: DiskOp; index: number }

class ByInode {
  readonly #ops = new Map<Inode, Numbered[]>()

  add(inode: Inode, op: DiskOp, index: number): void {
    const list = this.#ops.get(inode)
    if (list) list.push({ op, index })
    else this.#ops.set(inode, [{ op, index }])
  }

  /** Takes out what had ended by then. */
  takeEnded(inode: Inode, by: number): DiskOp[] {
    const list = this.#ops.get(inode) ?? []
    this.#ops.set(
      inode,
      list.filter(({ op }) => op.endedAt > by),
    )
    return list.filter(({ op }) => op.endedAt <= by).map(({ op }) => op)
  }

  /** The number of the last one that had ended by then; -1 for none. */
  lastEnded(inode: Inode, by: number): number {
    return this.#ops.get(inode)?.findLast(({ op }) => op.endedAt <= by)?.index ?? -1
  }
}
