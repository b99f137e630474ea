/**
 * Streams and buckets of a backup, on a server that has none of them.
 *
 * R1  Nothing that is there is written over. What a restore that was broken off has brought back whole is known by its epoch and its
 *     last sequence, and left as it is.
 * R2  A stream keeps its epoch: the server gives it another `created`, so its metadata say it. Checkpoints, letters and the
 *     archive name its events by that.
 * R3  Durables are made when all streams are there, behind the floors that were read before anything was copied.
 * R4  A stream says in its metadata that it is being restored until the server has said that it is whole, and every replica is
 *     current. No count can tell: what is due arrives in lanes as soon as they are there, so their last sequence grows. And
 *     what is left of one that was broken off is, with nats-server 2.15.1, a part of it on one server, and on a cluster soon
 *     an empty stream, or none whose name is taken. The server goes on with it for five seconds; then it is removed, and
 *     brought back anew.
 * R5  All is compared with the manifest at the end, on every replica.
 */
import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EPOCH, epochOf, type Mesh } from '@malha/mesh'
import { jetstreamManager, type JetStreamManager, type StreamConfig, type StreamInfo } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'
import type { CopyProgress } from './back-up.ts'
import { orGoOnLater } from './broken-off.ts'
import { behind, ownMetadata } from './durables.ts'
import { type LaterMessage, storeLater } from './later.ts'
import { filesOf, type Manifest, readManifest, type SavedStream, unreadable } from './manifest.ts'
import { patiently } from '../patiently.ts'
import { streamOf } from './stream-of.ts'
import { sendCopy, sha256Of, type Snapshot } from './snapshot.ts'
import { countOver, currentStream, differences, faultsIn, growsAlone, lastOf } from './whole.ts'

export type RestoreOptions = {
  folder: string
  /** Of each stream. @default as it had */
  replicas?: number | undefined
  /** Only looks whether it could. @default false */
  dryRun?: boolean
  onProgress?: (progress: CopyProgress) => void
}

export type Restored = {
  readonly manifest: Manifest
  /** Streams that were brought back now, or with a dry run would be; the others were brought back before. */
  readonly streams: readonly string[]
  readonly durables: number
  /** Messages that the backup counts and that are over by now, or were before they were copied. */
  readonly over: number
}

/** In the metadata of a stream: it is being restored, or that was broken off (R4). Part of the wire. */
const RESTORING = 'malha.restoring'

/** `begun`: by a restore that was broken off. */
type Wanted = { saved: SavedStream; standing: 'missing' | 'begun' | 'there' }

/** nats-server gives a restore up that gets no piece for five seconds. */
const GIVEN_UP_MS = 7_000
/** A stream whose leader gave a restore up has none until there was an election. */
const ELECTED_MS = 30_000

/**
 * Brings a backup back. The services of the mesh, and its archive, must not run meanwhile. Needs `$JS.API.STREAM.NAMES`, of each
 * stream `$JS.API.STREAM.INFO`, `$JS.API.STREAM.RESTORE`, `$JS.API.STREAM.UPDATE`, `$JS.API.CONSUMER.INFO`,
 * `$JS.API.CONSUMER.CREATE` (and `DURABLE.CREATE`), where a restore was broken off `$JS.API.STREAM.DELETE`, and to publish `$JS.SNAPSHOT.RESTORE.>`.
 * @throws OperationsError OPERATIONS_BACKUP_UNREADABLE with every fault and nothing done; OPERATIONS_RESTORE_REFUSED with every stream
 * that is there and nothing done; OPERATIONS_RESTORE_FAILED, also with all that differs from the manifest at the end
 */
export async function restore(mesh: Mesh, options: RestoreOptions): Promise<Restored> {
  const { folder, dryRun = false, onProgress = () => undefined } = options
  const manifest = await readManifest(folder)
  if (manifest.namespace !== mesh.names.namespace)
    throw new OperationsError(
      'OPERATIONS_RESTORE_REFUSED',
      `backup ${folder} is of namespace ${JSON.stringify(manifest.namespace)}, and the streams keep their names: give that one`,
    )
  await checkFiles(folder, manifest)
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const wanted = await whatIsThere(jsm, manifest)
  const missing = wanted.filter(({ standing }) => standing !== 'there').map(({ saved }) => saved)
  if (!dryRun) {
    await removeBegun(jsm, wanted)
    for (const saved of missing) {
      await orLater(saved.name, () => bring(mesh, jsm, { ...options, saved, onProgress }))
      onProgress({ stream: saved.name, bytes: saved.bytes, isDone: true })
    }
    for (const saved of manifest.streams) await orLater(saved.name, () => makeDurables(jsm, saved)) // R3
    for (const saved of manifest.streams) await orLater(saved.name, () => seal(jsm, folder, saved))
    await orGoOnLater('OPERATIONS_RESTORE_FAILED', 'not all is as the backup says', () => compare(jsm, manifest)) // R5
  }
  return {
    manifest,
    streams: missing.map(({ name }) => name),
    durables: manifest.streams.reduce((sum, { durables }) => sum + durables.length, 0),
    over: dryRun ? 0 : await countOver(jsm, manifest),
  }
}

async function compare(jsm: JetStreamManager, manifest: Manifest): Promise<void> {
  const faults = await faultsIn(jsm, manifest)
  if (faults.length > 0) throw new Error(faults.join('; '))
}

async function checkFiles(folder: string, { streams }: Manifest): Promise<void> {
  const faults: string[] = []
  for (const { name, sha256, later } of streams) {
    const files = filesOf(folder, name)
    for (const [file, wanted] of [[files.data, sha256], ...(later ? [[files.later, later.sha256]] : [])] as const) {
      const found = await sha256Of(file).catch(() => undefined)
      if (found !== wanted)
        faults.push(
          `${relative(folder, file)} ${found === undefined ? 'cannot be read' : 'is not what was written (SHA-256)'}`,
        )
    }
  }
  if (faults.length > 0) throw unreadable(folder, `${faults.join('; ')}; take another backup`)
}

/** Upholds R1. */
async function whatIsThere(jsm: JetStreamManager, manifest: Manifest): Promise<Wanted[]> {
  let all = await lookAt(jsm, manifest)
  if (all.some(({ standing }) => standing === 'begun')) {
    const before = new Map(all.map((one) => [one.saved.name, one]))
    await sleep(GIVEN_UP_MS) // R4
    all = await lookAt(jsm, manifest)
    const going = all.find((one) => one.standing === 'begun' && hasGoneOn(one, before.get(one.saved.name)!))
    if (going)
      throw new OperationsError(
        'OPERATIONS_RESTORE_REFUSED',
        `stream ${going.saved.name} is being restored, and nothing was done: one that was killed is given up by the server within seconds, so run ` +
          'the same command again then; stop the other, if there is one',
      )
  }
  const others = all.flatMap(({ saved, standing, messages }) =>
    standing === 'other' ? [`${saved.name} (${messages} messages)`] : [],
  )
  if (others.length === 0) return all as Wanted[]
  throw new OperationsError(
    'OPERATIONS_RESTORE_REFUSED',
    `the server has ${others.join(', ')} already, and nothing is written over; nothing was done. Restore before any service of the ` +
      `mesh starts; what is there by mistake goes with "nats stream rm <name>"`,
  )
}

type Found = {
  saved: SavedStream
  standing: Wanted['standing'] | 'other'
  messages: number
  lastSeq: number
  grows: boolean
}

/** What is due arrives by itself in one that was given up. */
const hasGoneOn = (now: Found, before: Found): boolean =>
  before.standing === 'missing' || (now.lastSeq > before.lastSeq && !now.grows)

async function lookAt(jsm: JetStreamManager, { streams }: Manifest): Promise<Found[]> {
  const names = new Set<string>()
  for await (const name of jsm.streams.names()) names.add(name)
  const found: Found[] = []
  for (const saved of streams) {
    const info = await orLater(saved.name, () => patiently(ELECTED_MS, () => streamOf(jsm, saved.name)))
    const nothing = { messages: 0, lastSeq: 0, grows: false }
    if (!info) found.push({ saved, standing: names.has(saved.name) ? 'begun' : 'missing', ...nothing })
    else {
      const { messages, last_seq: lastSeq } = info.state
      found.push({ saved, standing: standingOf(info, saved), messages, lastSeq, grows: growsAlone(info.config) })
    }
  }
  return found
}

function standingOf({ created, config, state }: StreamInfo, saved: SavedStream): Found['standing'] {
  if (config.metadata?.[EPOCH] === undefined || epochOf({ created, config }) !== saved.epoch) return 'other'
  const last = lastOf(config, saved)
  const isMore = state.last_seq > last && !growsAlone(config)
  if (config.metadata[RESTORING] !== undefined) return isMore ? 'other' : 'begun'
  return isMore || state.last_seq < last ? 'other' : 'there'
}

/** Upholds R4. What is in it is in the backup. */
async function removeBegun(jsm: JetStreamManager, wanted: readonly Wanted[]): Promise<void> {
  for (const { saved, standing } of wanted)
    if (standing === 'begun') await orLater(saved.name, async () => void (await jsm.streams.delete(saved.name)))
}

type Bring = Pick<RestoreOptions, 'folder' | 'replicas'> & {
  saved: SavedStream
  onProgress: (progress: CopyProgress) => void
}

async function bring({ nats }: Mesh, jsm: JetStreamManager, task: Bring): Promise<void> {
  const { folder, replicas, saved, onProgress } = task
  const files = filesOf(folder, saved.name)
  const { config: kept, state } = JSON.parse(await readFile(files.config, 'utf8')) as Snapshot
  const wanted = {
    ...kept,
    ...(replicas !== undefined && { num_replicas: replicas }),
  }
  const metadata = { ...ownMetadata(kept.metadata ?? {}), [EPOCH]: String(saved.epoch) } // R2
  const onBytes = (bytes: number): void => onProgress({ stream: saved.name, bytes, isDone: false })
  const begun = { ...metadata, [RESTORING]: saved.sha256 } // R4
  // No stream begins as sealed.
  const config = { ...wanted, metadata: begun, sealed: false }
  const found = differences(await sendCopy(nats, { config, state, file: files.data, onBytes }), {
    ...saved,
    later: { messages: 0, sha256: '' },
  })
  if (found.length > 0) throw new Error(`it has ${found.join(', ')}`)
  if (saved.later) await storeLater(nats, JSON.parse(await readFile(files.later, 'utf8')) as LaterMessage[])
  // Nobody else has it yet where it has just been made.
  await currentStream(jsm, saved.name)
  await jsm.streams.update(saved.name, { metadata })
}

/** Behind all else: one that was broken off in between is not sealed yet. */
async function seal(jsm: JetStreamManager, folder: string, { name }: SavedStream): Promise<void> {
  const { config } = JSON.parse(await readFile(filesOf(folder, name).config, 'utf8')) as Snapshot
  if (!config.sealed || (await jsm.streams.info(name)).config.sealed) return
  await jsm.streams.update(name, { sealed: true } as Partial<StreamConfig>)
}

async function makeDurables(jsm: JetStreamManager, { name, durables }: SavedStream): Promise<void> {
  if (durables.length === 0) return
  const { config } = await jsm.streams.info(name)
  for (const durable of durables) {
    const there = await jsm.consumers.info(name, durable.config.durable_name!).catch(() => undefined)
    if (!there) await jsm.consumers.add(name, behind(durable.floor, durable.config, config))
  }
}

const orLater = <Result>(stream: string, work: () => Promise<Result>): Promise<Result> =>
  orGoOnLater('OPERATIONS_RESTORE_FAILED', `stream ${stream} could not be brought back`, work)
