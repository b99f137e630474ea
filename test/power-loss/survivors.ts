/**
 * What else is on the disk when the power fails, beside what is there for certain: nobody can say, so it is drawn.
 */
import { type Cut, durableOps, type FileSystem, isMetadata } from './durable.ts'
import type { DiskOp, Inode } from './disk-op.ts'
import type { Random } from '../chaos/random.ts'

/**
 * - `none`: nothing else
 * - `all`: everything, as after a SIGKILL
 * - `prefix`: everything up to some operation
 * - `pieces`: each block of a file, and each name, by itself, as far as the file system allows
 */
export type Luck = 'none' | 'all' | 'prefix' | 'pieces'

export const LUCK: readonly Luck[] = ['none', 'all', 'prefix', 'pieces']

/** What is left of an operation: bytes of its data from and to, and the size it gave to its file. */
export type Left = { ranges: readonly (readonly [number, number])[]; isSizeKept: boolean }

export type Survivors = ReadonlyMap<DiskOp, Left>

/** The least a disk writes as a whole, and the least a page cache does, bytes. */
const BLOCK: Record<FileSystem, number> = { strict: 512, ext4: 4096 }

export function survivors(
  ops: readonly DiskOp[],
  cut: Cut,
  { luck, random }: { luck: Luck; random: Random },
): Survivors {
  const begun = ops.filter((op) => op.begunAt <= cut.at && op.kind !== 'sync')
  const durable = durableOps(ops, cut)
  const left = new Map<DiskOp, Left>()
  const prefix = luck === 'prefix' ? random.int(0, begun.length) : 0
  for (const [index, op] of begun.entries())
    if (durable.has(op) || luck === 'all' || index < prefix) left.set(op, whole(op))
  if (luck === 'pieces') {
    const others = begun.filter((op) => !durable.has(op))
    const drawn = cut.fileSystem === 'ext4' ? ext4Pieces(others, durable, random) : strictPieces(others, random)
    for (const [op, what] of drawn) left.set(op, what)
  }
  if (cut.fileSystem === 'ext4') addReplaced(begun, left)
  return left
}

function whole(op: DiskOp): Left {
  return { ranges: op.kind === 'write' ? [[0, op.data.length]] : [], isSizeKept: true }
}

function strictPieces(ops: readonly DiskOp[], random: Random): Map<DiskOp, Left> {
  const left = new Map<DiskOp, Left>()
  const limits = new BlockLimits(ops, random, BLOCK.strict)
  for (const [index, op] of ops.entries()) {
    if (op.kind === 'write') left.set(op, { ranges: limits.keptOf(op, index), isSizeKept: random.chance(0.5) })
    else if (random.chance(0.5)) left.set(op, whole(op))
  }
  return left
}

function ext4Pieces(ops: readonly DiskOp[], durable: ReadonlySet<DiskOp>, random: Random): Map<DiskOp, Left> {
  const left = new Map<DiskOp, Left>()
  const journaled = random.int(0, ops.length)
  const limits = new BlockLimits(ops, random, BLOCK.ext4)
  const sizes = durableSizes(durable)
  const ends = new Map<Inode, number>()
  for (const [index, op] of ops.entries()) {
    if (isMetadata(op)) {
      if (index < journaled) left.set(op, whole(op))
      // What was written behind a truncation is not there without it.
      else if (op.kind === 'truncate') ends.set(op.inode, Math.min(index, ends.get(op.inode) ?? index))
    } else if (op.kind === 'write') {
      const end = ends.get(op.inode) ?? lastKept(ops, op.inode, random)
      ends.set(op.inode, end)
      if (op.offset + op.data.length <= (sizes.get(op.inode) ?? 0))
        left.set(op, { ranges: limits.keptOf(op, index), isSizeKept: false })
      else if (index < end) left.set(op, whole(op))
      else if (index === end) left.set(op, { ranges: beginning(op, random), isSizeKept: false })
    }
  }
  return left
}

/** Appends survive up to some write, which may itself be there in part. */
function lastKept(ops: readonly DiskOp[], inode: Inode, random: Random): number {
  const writes = ops.flatMap((op, index) => (op.kind === 'write' && op.inode === inode ? [index] : []))
  return writes[random.int(0, writes.length)] ?? ops.length
}

/** Up to the end of some block of the file. */
function beginning({ offset, data }: DiskOp & { kind: 'write' }, random: Random): [number, number][] {
  const first = BLOCK.ext4 - (offset % BLOCK.ext4)
  const ends = [0]
  for (let end = first; end < data.length; end += BLOCK.ext4) ends.push(end)
  return [[0, ends[random.int(0, ends.length - 1)]!]]
}

function durableSizes(durable: ReadonlySet<DiskOp>): Map<Inode, number> {
  const sizes = new Map<Inode, number>()
  for (const op of durable) {
    if (op.kind === 'write') sizes.set(op.inode, Math.max(sizes.get(op.inode) ?? 0, op.offset + op.data.length))
    if (op.kind === 'truncate') sizes.set(op.inode, op.size)
  }
  return sizes
}

/** ext4 writes the data of a file before the rename that puts it in the place of another (auto_da_alloc). */
function addReplaced(begun: readonly DiskOp[], left: Map<DiskOp, Left>): void {
  const renamed = begun.filter((op) => op.kind === 'rename' && op.replaced !== undefined && left.has(op))
  for (const rename of renamed)
    for (const op of begun) {
      if (op === rename) break
      if (op.kind === 'write' && op.inode === rename.inode) left.set(op, whole(op))
    }
}

/** A block is on the disk as it was at some time: with all that was written to it until then, and nothing later. */
class BlockLimits {
  readonly #limits = new Map<string, number>()
  readonly #count: number
  readonly #random: Random
  readonly #bytes: number

  constructor(ops: readonly DiskOp[], random: Random, bytes: number) {
    this.#count = ops.length
    this.#random = random
    this.#bytes = bytes
  }

  keptOf({ inode, offset, data }: DiskOp & { kind: 'write' }, index: number): [number, number][] {
    const kept: [number, number][] = []
    const end = offset + data.length
    for (let from = offset; from < end;) {
      const block = Math.floor(from / this.#bytes)
      const to = Math.min(end, (block + 1) * this.#bytes)
      if (index < this.#limitOf(`${inode} ${block}`)) kept.push([from - offset, to - offset])
      from = to
    }
    return kept
  }

  #limitOf(block: string): number {
    const drawn = this.#limits.get(block) ?? this.#random.pick([0, this.#count, this.#random.int(0, this.#count)])
    this.#limits.set(block, drawn)
    return drawn
  }
}
