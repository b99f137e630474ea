import { type Mesh, type Metrics, type StoredMessage, streamState } from '@malha/mesh'
import { readStored } from '../store/read-stored.ts'
import { parse, type Versioned } from '../store/records.ts'
import { bucketName } from '../store/bucket-name.ts'
import { current, SAGA_FORMAT, type SagaRecord, waitsSince } from './record.ts'
import type { Saga } from './open-saga.ts'
import type { SagaDef } from './saga.ts'

/** A saga that should have moved. */
export type StuckSaga<State = unknown> = {
  readonly id: string
  readonly status: 'running' | 'compensating'
  /** Undefined where a newer release wrote it. */
  readonly state: State | undefined
  /** The step whose undo is not confirmed. */
  readonly undoing: string | undefined
  /** What moved it last. */
  readonly lastEvent: SagaRecord['lastEvent']
  /** For how long it has not moved, ms; counted from its last time-out where it waited for one. */
  readonly forMs: number
}

type Whole<State> = { mesh: Mesh; bucket: string; def: SagaDef<State> }

/** Sagas that have not moved for longer than they may, the longest first. */
export async function listStuck<State>(whole: Whole<State>, now: number = Date.now()): Promise<StuckSaga<State>[]> {
  const stuck: StuckSaga<State>[] = []
  for await (const { value } of allSagas(whole)) {
    const forMs = now - waitsSince(value)
    if (value.status === 'ended' || forMs < whole.def.stuckAfterMs) continue
    const { id, status, undoing, lastEvent } = value
    // One that this release cannot read must not hide the others.
    const state = value.version > whole.def.version ? undefined : current(whole.def, value).state
    stuck.push({ id, status, state, undoing, lastEvent, forMs })
  }
  return stuck.sort((a, b) => b.forMs - a.forMs)
}

/** Every record, in no order. */
export async function* allSagas<State>(whole: Whole<State>): AsyncGenerator<Versioned<SagaRecord>> {
  const { lastSeq, firstSeq } = await streamState(whole.mesh.nats, streamOf(whole))
  for await (const { value, revision } of changed(whole, { from: firstSeq, to: lastSeq }))
    if (value) yield { value, revision }
}

/** What was written between two revisions; `value` is undefined for what was removed. */
async function* changed<State>(
  whole: Whole<State>,
  range: { from: number; to: number },
): AsyncGenerator<{ key: string; value: SagaRecord | undefined; revision: number }> {
  const subjects = `$KV.${whole.mesh.names.bucket(whole.bucket)}.>`
  for await (const stored of readStored(whole.mesh, { stream: streamOf(whole), subjects, ...range }))
    yield { key: stored.subject, value: valueOf(whole, stored), revision: stored.seq }
}

function valueOf<State>({ def }: Whole<State>, { headers, payload }: StoredMessage): SagaRecord | undefined {
  if (headers['kv-operation'] !== undefined) return undefined
  return parse(payload.toString('utf8'), { what: `a record of saga ${def.name}`, format: SAGA_FORMAT }) as SagaRecord
}

const streamOf = <State>({ mesh, bucket }: Whole<State>): string => `KV_${mesh.names.bucket(bucket)}`

export type WatchSagasOptions = {
  /** Where the figures go: what the mesh was connected with. */
  metrics: Metrics
  /** Pause between two looks, ms. @default 15 000 */
  everyMs?: number
}

/**
 * Keeps `mesh_sagas_stuck` and `mesh_sagas_running` up to date, until disposed of. Each look reads only what was written
 * since the last one. Any number of processes may watch; each says the same.
 */
export function watchSagas(
  mesh: Mesh,
  // oxlint-disable-next-line typescript/no-explicit-any -- sagas of any state
  sagas: readonly Saga<any>[],
  { metrics, everyMs = 15_000 }: WatchSagasOptions,
): AsyncDisposable & { look(): Promise<void> } {
  const labels = ['saga']
  const stuck = metrics.gauge({ name: 'mesh_sagas_stuck', help: 'Sagas that have not moved for too long.', labels })
  const running = metrics.gauge({ name: 'mesh_sagas_running', help: 'Sagas that have not ended.', labels })
  const watched = sagas.map(({ def }) => ({
    def,
    whole: { mesh, bucket: bucketName('SAGA', def.name), def },
    ...nothing(),
  }))
  const lookAt = async (one: (typeof watched)[number]): Promise<void> => {
    const { lastSeq } = await streamState(mesh.nats, streamOf(one.whole))
    for await (const { key, value, revision } of changed(one.whole, { from: one.until + 1, to: lastSeq })) {
      const since = value ? waitsSince(value) : Infinity
      const known = one.open.get(key)
      if (known && known.revision > revision) continue
      if (since === Infinity) one.open.delete(key)
      else one.open.set(key, { since, revision })
    }
    one.until = lastSeq
    const late = [...one.open.values()].filter(({ since }) => Date.now() - since >= one.def.stuckAfterMs)
    stuck.set({ saga: one.def.name }, late.length)
    running.set({ saga: one.def.name }, one.open.size)
  }
  let looking: Promise<void> | undefined
  const look = (): Promise<void> =>
    (looking ??= Promise.all(watched.map(lookAt))
      .then(() => undefined)
      .finally(() => (looking = undefined)))
  const tell = (): void =>
    void look().catch((err: unknown) => mesh.log.warn({ err }, 'the sagas could not be looked at; that is tried again'))
  tell()
  const timer = setInterval(tell, everyMs)
  return {
    look,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await looking?.catch(() => undefined)
    },
  }
}

function nothing(): { until: number; open: Map<string, { since: number; revision: number }> } {
  return { until: 0, open: new Map() }
}
