/**
 * A backup of all streams and buckets of a mesh that goes on working.
 *
 * No two streams are copied at one moment, and a stream's consumers are not copied at the moment of its messages. So:
 * B1  Where durables stand is read before any message is copied. What they had acks for by then had been done: its outputs,
 *     copies on lanes and letters were stored, and are copied later. What was done after that is done again.
 * B2  What says that something was done is copied before what was made by that: buckets (checkpoints, partitions, inboxes,
 *     views) first, letters last.
 * B3  What is removed when it is done is copied before where it goes: lanes and delays before records of runs and events.
 * B4  Of a stream from which messages are removed by others that come, these are copied too ([later](later.ts)).
 * B5  The manifest is written when all else is on the disk.
 */
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { epochOf, isOfNamespace, type Mesh } from '@malha/mesh'
import { jetstreamManager, type JetStreamManager, StorageType, type StreamInfo } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'
import { durablesOf } from './durables.ts'
import { readLater, replaces } from './later.ts'
import { filesOf, type Manifest, MANIFEST, type SavedDurable, type SavedStream } from './manifest.ts'
import { copyStream, sha256Of } from './snapshot.ts'

/** How far one stream is. */
export type CopyProgress = { readonly stream: string; readonly bytes: number; readonly isDone: boolean }

export type BackupOptions = {
  /** Made if it is not there; nothing may be in it. */
  folder: string
  onProgress?: (progress: CopyProgress) => void
}

/** Elections, restarts of a server. */
const TRIES = 3

/**
 * Copies every stream and bucket of the mesh's namespace into a folder. Needs `$JS.API.STREAM.LIST`, and of each of them
 * `$JS.API.CONSUMER.LIST`, `$JS.API.STREAM.SNAPSHOT`, `$JS.API.STREAM.MSG.GET` and to publish `$JS.SNAPSHOT.ACK.>`.
 * @throws OperationsError OPERATIONS_BACKUP_REFUSED the folder is not empty; OPERATIONS_BACKUP_FAILED
 */
export async function backUp(mesh: Mesh, { folder, onProgress = () => undefined }: BackupOptions): Promise<Manifest> {
  const beganAt = new Date().toISOString()
  await emptyFolder(folder)
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const streams: StreamInfo[] = []
  for await (const info of jsm.streams.list()) if (isCopied(mesh, info)) streams.push(info)
  const durables = new Map<string, SavedDurable[]>()
  for (const { config } of streams) durables.set(config.name, await durablesOf(jsm, config.name)) // B1
  const saved: SavedStream[] = []
  for (const info of inOrder(streams)) {
    const onBytes = (bytes: number): void => onProgress({ stream: info.config.name, bytes, isDone: false })
    const copied = await copy(mesh, jsm, { folder, info, durables: durables.get(info.config.name) ?? [], onBytes })
    saved.push(copied)
    onProgress({ stream: info.config.name, bytes: copied.bytes, isDone: true })
  }
  const { namespace } = mesh.names
  const server = mesh.nats.info?.version ?? 'unknown'
  const manifest: Manifest = { v: 1, namespace, server, beganAt, endedAt: new Date().toISOString(), streams: saved }
  await writeLast(folder, manifest).catch((cause: unknown) => {
    throw failed(folder, { what: MANIFEST, did: 'written', cause })
  })
  return manifest
}

async function emptyFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const found = await readdir(folder)
  if (found.length === 0) return
  const what = found.includes(MANIFEST) ? 'is a backup' : 'is not empty, and no backup: one that was broken off, if any'
  throw new OperationsError(
    'OPERATIONS_BACKUP_REFUSED',
    `${folder} ${what}; name a folder that is empty, or is not there`,
  )
}

/** Also buckets that services made for themselves. */
function isCopied({ names }: Mesh, { config: { name, metadata, storage } }: StreamInfo): boolean {
  const isOurs = metadata?.['malha.format'] !== undefined || /^(KV|OBJ)_/.test(name)
  return isOurs && isOfNamespace(names, name.replace(/^OBJ_/, '')) && storage === StorageType.File
}

/** Upholds B2 and B3. */
function inOrder(streams: readonly StreamInfo[]): StreamInfo[] {
  const rank = ({ config: { name, metadata } }: StreamInfo): number => {
    if (/^(KV|OBJ)_/.test(name)) return 0
    const at = ['lanes', 'delays', 'operations'].indexOf(metadata?.['malha.kind'] ?? '')
    if (at >= 0) return 1 + at
    return ['dead-letters', 'audit'].includes(metadata?.['malha.kind'] ?? '') ? 9 : 5
  }
  return streams.toSorted((a, b) => rank(a) - rank(b) || (a.config.name < b.config.name ? -1 : 1))
}

type Task = { folder: string; info: StreamInfo; durables: SavedDurable[]; onBytes: (bytes: number) => void }

async function copy({ nats }: Mesh, jsm: JetStreamManager, task: Task): Promise<SavedStream> {
  const { folder, info, durables, onBytes } = task
  const { name, metadata } = info.config
  const files = filesOf(folder, name)
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(files.folder, { mode: 0o700, recursive: true })
      const { config, state, bytes, sha256 } = await copyStream(nats, { stream: name, file: files.data, onBytes })
      await writeFile(files.config, JSON.stringify({ config, state }, null, 2), { mode: 0o600, flush: true })
      const later = replaces(config) ? await readLater(jsm, name, state.last_seq) : [] // B4
      if (later.length > 0) await writeFile(files.later, JSON.stringify(later), { mode: 0o600, flush: true })
      return {
        name,
        kind: metadata?.['malha.kind'] ?? 'bucket',
        epoch: epochOf(info),
        messages: state.messages,
        firstSeq: state.first_seq,
        lastSeq: state.last_seq,
        bytes,
        sha256,
        ...(later.length > 0 && { later: { messages: later.length, sha256: await sha256Of(files.later) } }),
        durables,
      }
    } catch (cause) {
      await rm(files.folder, { recursive: true, force: true })
      if (attempt < TRIES && !isOfDisk(cause)) continue
      throw failed(folder, { what: `stream ${name}`, did: 'copied', cause })
    }
  }
}

/** A full disk is as full a moment later. */
const isOfDisk = (cause: unknown): boolean => (cause as NodeJS.ErrnoException).syscall !== undefined

function failed(folder: string, { what, did, cause }: { what: string; did: string; cause: unknown }): OperationsError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new OperationsError(
    'OPERATIONS_BACKUP_FAILED',
    `${what} could not be ${did} (${why}); there is no backup in ${folder}: remove it, and begin again`,
    { cause },
  )
}

/** Upholds B5. */
async function writeLast(folder: string, manifest: Manifest): Promise<void> {
  const part = join(folder, `${MANIFEST}.part`)
  try {
    await writeFile(part, JSON.stringify(manifest, null, 2), { mode: 0o600, flush: true })
    await rename(part, join(folder, MANIFEST))
  } catch (cause) {
    await rm(part, { force: true })
    throw cause
  }
  const at = await open(folder)
  await at.sync()
  await at.close()
}
