/** Runs as they stand in their bucket, each written by its revision alone. */
import { getStored, type Mesh } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { OperationsError } from '../errors.ts'
import { streamNow } from '../read/read-on.ts'
import { isOver, type Run } from './run.ts'

/** A run, and the revision that the next write expects. */
export type StoredRun = { run: Run; revision: number }

export type RunStore = {
  /** Undefined where there is none. Makes nothing, so an onlooker may. */
  find(id: string): Promise<StoredRun | undefined>
  /** @throws OperationsError OPERATIONS_NO_RUN */
  get(id: string): Promise<StoredRun>
  /** The newest first. */
  list(): Promise<Run[]>
  /** The first entry of a run: makes the bucket where it is missing. */
  create(run: Run): Promise<StoredRun>
  /** Undefined where somebody wrote it meanwhile. */
  write(run: Run, revision: number): Promise<StoredRun | undefined>
  /**
   * Names `run` as the one that does `what`. Another one that does the same and is not over comes back, and nothing is written.
   */
  takeTurn(what: string, run: Run): Promise<Run | undefined>
}

const BUCKET = 'RUNS'
/** Before what a run is about, in the keys of those that may not be begun twice. No id of a run begins with it. */
const TURN = 'turn.'
const AT_ONCE = 100
const GET = /^[a-z0-9-]{1,64}$/

export function runStoreOf(mesh: Mesh): RunStore {
  const { nats, names } = mesh
  const bucketName = names.bucket(BUCKET)
  const stream = `KV_${bucketName}`
  const subjects = `$KV.${bucketName}.`
  let opened: Promise<KV> | undefined
  const bucket = (): Promise<KV> =>
    (opened ??= mesh.bucket(BUCKET).catch((error: unknown) => {
      opened = undefined
      throw error
    }))
  const entry = async (key: string): Promise<{ text: string; revision: number } | undefined> => {
    if (!(await streamNow(mesh, stream))) return undefined
    const stored = await getStored(nats, stream, { last_by_subj: subjects + key })
    if (!stored || stored.payload.length === 0) return undefined
    return { text: stored.payload.toString(), revision: stored.seq }
  }
  const find = async (id: string): Promise<StoredRun | undefined> => {
    const found = GET.test(id) ? await entry(id) : undefined
    return found && { run: JSON.parse(found.text) as Run, revision: found.revision }
  }
  const write = async (run: Run, revision: number): Promise<StoredRun | undefined> => {
    const moved = { ...run, movedAt: new Date().toISOString() }
    const written = await update(await bucket(), { key: run.id, value: moved, revision })
    return written === undefined ? undefined : { run: moved, revision: written }
  }
  return {
    find,
    async get(id) {
      const found = await find(id)
      if (!found) throw new OperationsError('OPERATIONS_NO_RUN', `there is no run ${JSON.stringify(id.slice(0, 64))}`)
      return found
    },
    async list() {
      const ids = (await keysOf(mesh, stream, subjects)).filter((key) => GET.test(key)).sort()
      const runs: Run[] = []
      for (let from = 0; from < ids.length; from += AT_ONCE) {
        const some = await Promise.all(ids.slice(from, from + AT_ONCE).map(find))
        runs.push(...some.flatMap((found) => (found ? [found.run] : [])))
      }
      return runs.toReversed()
    },
    create: async (run) => ({ run, revision: await (await bucket()).create(run.id, JSON.stringify(run)) }),
    write,
    async takeTurn(what, run) {
      const key = TURN + what
      for (;;) {
        const found = await entry(key)
        const other = found && (await find((JSON.parse(found.text) as { run: string }).run))
        if (other && other.run.id !== run.id && !isOver(other.run)) return other.run
        const value = { v: 1, run: run.id }
        const written = await update(await bucket(), { key, value, revision: found?.revision ?? 0 })
        if (written !== undefined) return undefined
      }
    },
  }
}

/** Keys by the subjects there are: the bucket's own way makes a consumer. */
async function keysOf(mesh: Mesh, stream: string, subjects: string): Promise<string[]> {
  if (!(await streamNow(mesh, stream))) return []
  const jsm = await jetstreamManager(mesh.nats, { checkAPI: false })
  const { state } = await jsm.streams.info(stream, { subjects_filter: `${subjects}>` })
  return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(subjects.length))
}

/** The revision; undefined where that is another one by now. 0 expects none. */
async function update(
  bucket: KV,
  { key, value, revision }: { key: string; value: object; revision: number },
): Promise<number | undefined> {
  try {
    return await bucket.put(key, JSON.stringify(value), { previousSeq: revision })
  } catch (error) {
    if ((error as { code?: unknown }).code === WRONG_REVISION) return undefined
    throw error
  }
}

/** `err_code` of JetStream: the last revision is not the expected one. */
const WRONG_REVISION = 10_071
