/**
 * Reads what a process did to one folder, and what it sent, from its system calls.
 *
 * J1  The folder is empty when the process starts, so every file in it is known by the call that made it.
 * J2  Threads overtake each other: what one did may be reported after what another could do only then. Such a call waits.
 * J3  A call that could change the folder and is not understood here is an error, never skipped.
 */
import { basename, dirname, isAbsolute, join } from 'node:path'
import type { Call } from './strace-calls.ts'
import { NEVER } from './strace-calls.ts'
import { type DiskChange, type DiskOp, type Inode, type Journal, ROOT, type Sent } from './disk-op.ts'
import { readData, readDescriptor, readString, splitArgs } from './strace-line.ts'

/** What strace has to report: all that changes files, and what is sent. */
export const TRACED: readonly string[] = [
  'openat open creat mkdirat mkdir renameat renameat2 rename unlinkat unlink rmdir linkat link symlinkat symlink',
  'write pwrite64 writev pwritev pwritev2 lseek fsync fdatasync sync_file_range sync syncfs ftruncate truncate',
  'fallocate mmap copy_file_range sendfile splice io_uring_setup io_submit',
].flatMap((names) => names.split(' '))

class NotThereYet extends Error {}

type File = { inode: Inode; isFolder: boolean; size: number; entries: Map<string, File> }
type OpenFile = { path: string; file: File; position: number; appends: boolean; synced: boolean }

export function readJournal(calls: readonly Call[], folder: string): Journal {
  const reader = new Reader(folder)
  let waiting: Call[] = []
  // Upholds J2.
  const isRead = (call: Call): boolean => {
    try {
      reader.read(call)
      return true
    } catch (error) {
      if (error instanceof NotThereYet) return false
      throw error
    }
  }
  for (const call of calls) {
    if (!isRead(call)) waiting.push(call)
    else if (waiting.length > 0) waiting = waiting.filter((earlier) => !isRead(earlier))
  }
  for (const call of waiting) reader.read(call)
  return { ops: reader.ops, sent: reader.sent }
}

class Reader {
  readonly ops: DiskOp[] = []
  readonly sent: Sent[] = []
  readonly #folder: string
  readonly #root: File = { inode: ROOT, isFolder: true, size: 0, entries: new Map() }
  readonly #open = new Map<number, OpenFile>()
  #inodes = ROOT

  constructor(folder: string) {
    this.#folder = folder
  }

  read(call: Call): void {
    if (call.result.startsWith('-') || (call.result === '' && call.endedAt !== NEVER)) return
    const args = splitArgs(call.args)
    switch (call.name) {
      case 'openat':
        return this.#openat(call, args)
      case 'mkdirat':
        return this.#mkdir(call, pathAt(args[0], args[1]))
      case 'mkdir':
        return this.#mkdir(call, pathOf(args[0]))
      case 'renameat':
      case 'renameat2':
        return this.#rename(call, pathAt(args[0], args[1]), pathAt(args[2], args[3]))
      case 'rename':
        return this.#rename(call, pathOf(args[0]), pathOf(args[1]))
      case 'unlinkat':
        return this.#unlink(call, pathAt(args[0], args[1]))
      case 'unlink':
      case 'rmdir':
        return this.#unlink(call, pathOf(args[0]))
      case 'write':
      case 'writev':
        return this.#write(call, args)
      case 'pwrite64':
        return this.#writeAt(call, args)
      case 'lseek':
        return this.#seek(call, args)
      case 'fsync':
      case 'fdatasync':
        return this.#sync(call, args)
      case 'ftruncate':
        return this.#truncate(call, this.#opened(args)?.file, Number(args[1]))
      case 'truncate':
        return this.#truncate(call, this.#at(pathOf(args[0])), Number(args[1]))
      // It promises nothing (sync_file_range(2)): what it says is taken for not said.
      case 'sync_file_range':
        return
      default:
        return this.#refuse(call)
    }
  }

  /** Upholds J3. A file that is only read, or mapped for this process alone, is not changed. */
  #refuse(call: Call): void {
    if (!call.args.includes(this.#folder) && !call.name.startsWith('io_') && !call.name.startsWith('sync')) return
    // libuv registers descriptors through a ring always, and writes files through one only when the kernel polls it.
    if (call.name === 'io_uring_setup' && !call.args.includes('IORING_SETUP_SQPOLL')) return
    if (call.name === 'mmap' && !(call.args.includes('MAP_SHARED') && call.args.includes('PROT_WRITE'))) return
    throw new Error(`${call.name}(${call.args.slice(0, 200)}) changes files in a way that is not understood`)
  }

  #openat(call: Call, args: string[]): void {
    const opened = readDescriptor(call.result)
    const path = pathAt(args[0], args[1])
    const flags = args[2] ?? ''
    if (opened) this.#open.delete(opened.fd)
    if (!this.#isInside(path)) return
    if (flags.includes('O_TMPFILE')) throw new Error(`${path} was opened with O_TMPFILE, which is not understood`)
    let file = this.#at(path)
    if (!file && flags.includes('O_CREAT')) file = this.#create(call, path, false)
    if (!file) throw new NotThereYet(`${path} was opened, and nobody made it`)
    if (flags.includes('O_TRUNC') && file.size > 0) this.#truncate(call, file, 0)
    if (!opened) return
    const synced = /\bO_D?SYNC\b/.test(flags)
    this.#open.set(opened.fd, { path, file, position: 0, appends: flags.includes('O_APPEND'), synced })
  }

  #mkdir(call: Call, path: string): void {
    if (this.#isInside(path) && path !== this.#folder) this.#create(call, path, true)
  }

  #create(call: Call, path: string, isFolder: boolean): File {
    const folder = this.#folderOf(path)
    const file = { inode: ++this.#inodes, isFolder, size: 0, entries: new Map() }
    const name = basename(path)
    folder.entries.set(name, file)
    this.#note(call, { kind: 'create', folder: folder.inode, name, inode: file.inode, isFolder })
    return file
  }

  #rename(call: Call, from: string, to: string): void {
    if (!this.#isInside(from) && !this.#isInside(to)) return
    const [source, target] = [this.#folderOf(from), this.#folderOf(to)]
    const file = source.entries.get(basename(from))
    if (!file) throw new NotThereYet(`${from} was renamed, and nobody made it`)
    const replaced = target.entries.get(basename(to))?.inode
    source.entries.delete(basename(from))
    target.entries.set(basename(to), file)
    this.#note(call, {
      kind: 'rename',
      inode: file.inode,
      from: { folder: source.inode, name: basename(from) },
      to: { folder: target.inode, name: basename(to) },
      replaced,
    })
  }

  #unlink(call: Call, path: string): void {
    if (!this.#isInside(path)) return
    const folder = this.#folderOf(path)
    const name = basename(path)
    const file = folder.entries.get(name)
    if (!file) throw new NotThereYet(`${path} was removed, and nobody made it`)
    folder.entries.delete(name)
    this.#note(call, { kind: 'unlink', folder: folder.inode, name, inode: file.inode })
  }

  #write(call: Call, args: string[]): void {
    const opened = this.#opened(args)
    if (opened) {
      const offset = opened.appends ? opened.file.size : opened.position
      opened.position = offset + this.#store(call, opened, { offset, data: args[1]! })
      return
    }
    const { fd, path } = readDescriptor(args[0]!) ?? { fd: -1, path: '' }
    if (path.startsWith('socket:') || path.startsWith('pipe:'))
      this.sent.push({ fd, begunAt: call.begunAt, data: written(call, args[1]!) })
  }

  #writeAt(call: Call, args: string[]): void {
    const opened = this.#opened(args)
    if (opened) this.#store(call, opened, { offset: Number(args[3]), data: args[1]! })
  }

  #store(call: Call, { file, synced }: OpenFile, what: { offset: number; data: string }): number {
    const { offset } = what
    const data = written(call, what.data)
    this.#note(call, { kind: 'write', inode: file.inode, offset, data, synced, sizeBefore: file.size })
    file.size = Math.max(file.size, offset + data.length)
    return data.length
  }

  #seek(call: Call, args: string[]): void {
    const opened = this.#opened(args)
    if (opened) opened.position = Number.parseInt(call.result, 10)
  }

  #sync(call: Call, args: string[]): void {
    const { path = '' } = readDescriptor(args[0]!) ?? {}
    const file = this.#opened(args)?.file ?? (this.#isInside(path) ? this.#at(path) : undefined)
    if (file && call.endedAt !== NEVER) this.#note(call, { kind: 'sync', inode: file.inode })
  }

  #truncate(call: Call, file: File | undefined, size: number): void {
    if (!file) return
    file.size = size
    this.#note(call, { kind: 'truncate', inode: file.inode, size })
  }

  #note(call: Call, change: DiskChange): void {
    this.ops.push({ ...change, begunAt: call.begunAt, endedAt: call.endedAt })
  }

  /** A descriptor of this process that is a file of the folder, under whatever name it has by now. */
  #opened(args: string[]): OpenFile | undefined {
    const named = readDescriptor(args[0] ?? '')
    if (!named || !this.#isInside(named.path)) return undefined
    const opened = this.#open.get(named.fd)
    if (!opened) throw new NotThereYet(`descriptor ${named.fd} of ${named.path} was not seen to be opened`)
    return opened
  }

  #isInside(path: string): boolean {
    return path === this.#folder || path.startsWith(`${this.#folder}/`)
  }

  #at(path: string): File | undefined {
    let file: File | undefined = this.#root
    for (const name of path.slice(this.#folder.length).split('/').filter(Boolean)) file = file?.entries.get(name)
    return file
  }

  #folderOf(path: string): File {
    const folder = this.#isInside(path) ? this.#at(dirname(path)) : undefined
    if (!folder) throw new NotThereYet(`the folder of ${path} is not known`)
    return folder
  }
}

/** What was really written: less than what was given when the call says so; all of it where the process died in it. */
function written(call: Call, argument: string): DiskData {
  const data = readData(argument)
  const count = Number.parseInt(call.result, 10)
  return Number.isNaN(count) ? data : data.subarray(0, count)
}

type DiskData = Sent['data']

function pathOf(argument: string | undefined): string {
  return argument?.startsWith('"') ? readString(argument).toString() : ''
}

/** A name that is relative to a folder that was opened. */
function pathAt(folder: string | undefined, argument: string | undefined): string {
  const path = pathOf(argument)
  if (isAbsolute(path)) return path
  return join(readDescriptor(folder ?? '')?.path ?? '', path)
}
