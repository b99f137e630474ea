import { Buffer } from 'node:buffer'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type DiskOp, type Inode, ROOT } from './disk-op.ts'
import type { Left, Survivors } from './survivors.ts'

/** Paths below the folder, each with what the file holds; `undefined` is a folder. */
export type Disk = Map<string, Buffer | undefined>

/** The folder as the next process finds it. */
export function diskOf(ops: readonly DiskOp[], left: Survivors): Disk {
  const folders = new Map<Inode, Map<string, Inode>>([[ROOT, new Map()]])
  const files = new Map<Inode, FileContent>()
  const entriesOf = (folder: Inode): Map<string, Inode> => {
    const entries = folders.get(folder) ?? new Map<string, Inode>()
    folders.set(folder, entries)
    return entries
  }
  const forget = (folder: Inode, name: string, inode: Inode): void => {
    if (entriesOf(folder).get(name) === inode) entriesOf(folder).delete(name)
  }
  const fileOf = (inode: Inode): FileContent => {
    const file = files.get(inode) ?? new FileContent()
    files.set(inode, file)
    return file
  }
  for (const op of ops) {
    // Whatever is left of its name, a folder is a folder.
    if (op.kind === 'create' && op.isFolder) entriesOf(op.inode)
    const what = left.get(op)
    if (!what) continue
    if (op.kind === 'create') entriesOf(op.folder).set(op.name, op.inode)
    else if (op.kind === 'unlink') forget(op.folder, op.name, op.inode)
    else if (op.kind === 'rename') {
      forget(op.from.folder, op.from.name, op.inode)
      entriesOf(op.to.folder).set(op.to.name, op.inode)
    } else if (op.kind === 'truncate') fileOf(op.inode).resize(op.size)
    else if (op.kind === 'write') fileOf(op.inode).write(op, what)
  }
  const disk: Disk = new Map()
  const put = (folder: Inode, path: string): void => {
    for (const [name, inode] of entriesOf(folder)) {
      const own = path === '' ? name : `${path}/${name}`
      if (folders.has(inode)) {
        disk.set(own, undefined)
        put(inode, own)
      } else disk.set(own, fileOf(inode).bytes())
    }
  }
  put(ROOT, '')
  return disk
}

class FileContent {
  #buffer = Buffer.alloc(4096)
  #size = 0

  write({ offset, data }: DiskOp & { kind: 'write' }, { ranges, isSizeKept }: Left): void {
    for (const [from, to] of ranges) {
      this.#grow(Math.max(this.#size, offset + to))
      data.copy(this.#buffer, offset + from, from, to)
    }
    if (isSizeKept) this.#grow(Math.max(this.#size, offset + data.length))
  }

  resize(size: number): void {
    if (size < this.#size) this.#buffer.fill(0, size, this.#size)
    this.#size = Math.min(size, this.#size)
    this.#grow(size)
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size)
  }

  #grow(size: number): void {
    if (size > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * this.#buffer.length))
      this.#buffer.copy(larger, 0, 0, this.#size)
      this.#buffer = larger
    }
    this.#size = Math.max(this.#size, size)
  }
}

export async function writeDisk(disk: Disk, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [path, bytes] of disk) {
    const file = join(folder, path)
    await mkdir(bytes ? dirname(file) : file, { recursive: true })
    if (bytes) await writeFile(file, bytes, { mode: 0o600 })
  }
}

export async function readDisk(folder: string): Promise<Disk> {
  const disk: Disk = new Map()
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath, entry.name)
    disk.set(file.slice(folder.length + 1), entry.isDirectory() ? undefined : await readFile(file))
  }
  return disk
}

/** The paths at which two disks are not the same; none is what a journal has to show before anything is made of it. */
export function differences(one: Disk, other: Disk): string[] {
  const paths = [...new Set([...one.keys(), ...other.keys()])].toSorted()
  return paths.filter((path) => {
    const [a, b] = [one.get(path), other.get(path)]
    return one.has(path) !== other.has(path) || (a && b ? !a.equals(b) : a !== b)
  })
}
