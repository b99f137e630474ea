/**
 * Lanes as they were when the archive wrote down last where handlers stood: what waited is there, and what was done is not.
 *
 * L1  An event above the floor of the durable that brings it is left to that.
 */
import type { KeptMesh, ReplayReader } from '@malha/archive'
import { contains, LANE_HEADER, type Mesh, RUN_HEADER } from '@malha/mesh'
import { type ConsumerConfig, jetstream, type JetStreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/nats-core'
import { ownMetadata } from './durables.ts'
import type { RebuildPlan } from './rebuild-plan.ts'

export type LaneTask = { mesh: Mesh; jsm: JetStreamManager; archive: ReplayReader; plan: RebuildPlan }

/** An event that waited for a handler. `stream` and `lane` as the server names them. */
export type Waiting = {
  readonly lane: string
  readonly service: string
  readonly handler: string
  readonly stream: string
  readonly epoch: number
  readonly seq: number
  readonly storedAt: string
}

/** In the metadata of a stream of lanes: it was mended as of then, and is not to be again. Part of the wire. */
const MENDED = 'malha.rebuilt'

/** What the archive has written down of lanes. */
export function waitingIn({ names }: Mesh, { floors }: KeptMesh): Waiting[] {
  return floors.flatMap(({ stream: lane, waiting, config }) => {
    const { metadata } = config as Partial<ConsumerConfig>
    const [service, handler] = [metadata?.['malha.service'], metadata?.['malha.handler']]
    if (service === undefined || handler === undefined) return []
    return waiting.flatMap((place) => {
      const [, plain = '', epoch = '', seq = '', storedAt = ''] = /^([^.]+)\.(\d+)\.(\d+)@(\d+)$/.exec(place) ?? []
      if (plain === '') return []
      return [{ lane, service, handler, stream: names.stream(plain), epoch: Number(epoch), seq: Number(seq), storedAt }]
    })
  })
}

/** Mends one stream of lanes, once. Resolves with how many waited that the archive has not. */
export async function mendLane(task: LaneTask, lane: string, waiting: readonly Waiting[]): Promise<number> {
  const { jsm, plan } = task
  const { metadata = {} } = (await jsm.streams.info(lane)).config
  if (metadata[MENDED] === plan.floorsAt) return 0
  const wanted = new Map(waiting.filter((one) => one.lane === lane).map((one) => [nameOf(one), one]))
  const there = await whatIsThere(task, lane)
  for (const [name, { at, subject, of }] of there)
    if (!wanted.has(name) && !isAbove(plan.kept, { ...of, subject })) await jsm.streams.deleteMessage(lane, at)
  let missing = 0
  for (const [name, one] of wanted) if (!there.has(name) && !(await putBack(task, one))) missing += 1
  const mended = { ...ownMetadata(metadata), [MENDED]: plan.floorsAt }
  await jsm.streams.update(lane, { metadata: mended })
  return missing
}

const nameOf = ({ service, handler, stream, epoch, seq, storedAt }: Waiting): string =>
  `${service}.${handler}.${stream}.${epoch}.${seq}@${storedAt}`

type There = { at: number; subject: string; of: Waiting }

/** By its name; what runs sent is the runs' own, and notes stay. */
async function whatIsThere({ mesh, jsm }: LaneTask, lane: string): Promise<Map<string, There>> {
  const found = new Map<string, There>()
  for (let next = 1; ;) {
    const request = { seq: next, next_by_subj: '>' } as Parameters<JetStreamManager['streams']['getMessage']>[1]
    const message = await jsm.streams.getMessage(lane, request)
    if (!message) return found
    next = message.seq + 1
    const said = (header: string): string => message.header.get(header)
    const [, service = '', handler = ''] = mesh.names.strip(message.subject).split('.')
    if (said(LANE_HEADER.seq) === '' || said(RUN_HEADER.run) !== '') continue
    const of = {
      lane,
      service,
      handler,
      stream: said(LANE_HEADER.stream),
      epoch: Number(said(LANE_HEADER.epoch)),
      seq: Number(said(LANE_HEADER.seq)),
      storedAt: said(LANE_HEADER.storedAt),
    }
    found.set(nameOf(of), { at: message.seq, subject: said(LANE_HEADER.subject), of })
  }
}

/** Where due ones arrive: whoever waited so long waits no longer. */
async function putBack({ mesh, archive, plan }: LaneTask, one: Waiting): Promise<boolean> {
  const { service, handler, stream, epoch, seq, storedAt } = one
  const query = { stream, epoch, after: seq - 1, upTo: seq, typePattern: '(?s).*', key: null, since: null, until: null }
  const [event] = await archive.read({ ...query, limit: 1 })
  if (!event) return false
  if (isAbove(plan.kept, { ...one, subject: event.subject })) return true
  const head = headers()
  for (const [name, value] of event.headers) if (!/^(nats-|malha-)/i.test(name)) head.append(name, value)
  const more = [
    [LANE_HEADER.format, '1'],
    [LANE_HEADER.stream, stream],
    [LANE_HEADER.epoch, String(epoch)],
    [LANE_HEADER.seq, String(seq)],
    [LANE_HEADER.subject, event.subject],
    [LANE_HEADER.publishedAt, event.publishedAt],
    [LANE_HEADER.storedAt, storedAt],
    ['Nats-Msg-Id', `rebuilt.${nameOf(one)}`],
  ] as const
  for (const [name, value] of more) head.set(name, value)
  await jetstream(mesh.nats).publish(mesh.names.laneTarget(service, handler), event.payload, { headers: head })
  return true
}

/** Upholds L1. */
function isAbove(
  { floors }: KeptMesh,
  { service, handler, stream, seq, subject }: Waiting & { subject: string },
): boolean {
  return floors.some((one) => {
    const { metadata, filter_subject, filter_subjects } = one.config as Partial<ConsumerConfig>
    const filters = filter_subjects ?? (filter_subject === undefined ? ['>'] : [filter_subject])
    const isIts = metadata?.['malha.service'] === service && metadata['malha.handler'] === handler
    return isIts && one.stream === stream && seq > one.floor && filters.some((filter) => contains(filter, subject))
  })
}
