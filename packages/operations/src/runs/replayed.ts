import type { MessagePlace, Mesh } from '@malha/mesh'
import { recordIn } from '../letters/follow.ts'
import { readOn, streamNow } from '../read/read-on.ts'
import type { Run } from './run.ts'
import type { Candidate } from './slice.ts'
import type { Counted, Turn } from './source.ts'

export type ReplayRun = Extract<Run, { kind: 'replay' }>

/** An event of a replay, wherever it was read. */
export type Event = Candidate & {
  place: MessagePlace
  /** As the server sees it. */
  subject: string
  id: string | undefined
  headers: readonly (readonly [string, string])[]
  payload: Uint8Array
}

/** Whoever sends it, it is sent in the same way: of several copies one wins its claim. */
export function turnOf({ names }: Mesh, { id, service, handler, asNew }: ReplayRun, event: Event): Turn {
  const { place, subject, storedAtMs, headers, payload } = event
  return {
    kind: 'send',
    payload,
    message: {
      run: id,
      service,
      handler,
      origin: { ...place, subject, publishedAt: new Date(storedAtMs).toISOString() },
      headers,
      record: names.runRecord(names.durable(service, handler), id, place),
      expected: 0,
      asNew,
    },
  }
}

/** Reads what became of the messages of a replay. */
export async function followReplay(
  mesh: Mesh,
  { id, service, handler }: ReplayRun,
  after: number,
  onBatch: (counted: readonly Counted[], until: number) => void,
): Promise<void> {
  const { names } = mesh
  const now = await streamNow(mesh, names.operations())
  if (!now) return
  const filter = `${names.runRecords(names.durable(service, handler), id)}>`
  await readOn(mesh, now, {
    after,
    filter,
    read: ({ data }) => counted(data),
    onBatch: (batch, until) => onBatch(batch.flat(), until),
  })
}

function counted(data: Uint8Array): Counted[] {
  const record = recordIn(data)
  if (record.kind === 'ok') return [{ what: record.already ? 'already' : 'ok', withheld: record.withheld }]
  return record.kind === 'failed' ? [{ what: 'failed' }] : []
}
