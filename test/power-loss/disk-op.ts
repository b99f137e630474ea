import type { Buffer } from 'node:buffer'

/** A file or a folder, whatever its name is at the time. */
export type Inode = number

/** The folder that is watched; it is on the disk from the beginning. */
export const ROOT: Inode = 0

/** What a process did to the folder it keeps its data in. */
export type DiskChange =
  | { kind: 'create'; folder: Inode; name: string; inode: Inode; isFolder: boolean }
  /** `synced`: the file was opened with O_SYNC or O_DSYNC. `size` is that of the file before. */
  | { kind: 'write'; inode: Inode; offset: number; data: Buffer; synced: boolean; sizeBefore: number }
  | { kind: 'truncate'; inode: Inode; size: number }
  | {
      kind: 'rename'
      inode: Inode
      from: { folder: Inode; name: string }
      to: { folder: Inode; name: string }
      /** What had the name before. */
      replaced: Inode | undefined
    }
  | { kind: 'unlink'; folder: Inode; name: string; inode: Inode }
  /** fsync or fdatasync of a file or a folder. */
  | { kind: 'sync'; inode: Inode }

/** Microseconds since 1970. It took effect between the two. */
export type Timed = { begunAt: number; endedAt: number }

export type DiskOp = DiskChange & Timed

/** What a process wrote to a socket or a pipe. */
export type Sent = { fd: number; begunAt: number; data: Buffer }

/** All a process did, in the order in which the calls ended. */
export type Journal = { ops: DiskOp[]; sent: Sent[] }
