import { epochOf, names } from '@malha/mesh'
import { type ConsumerInfo, type JetStreamManager, RetentionPolicy, type StreamInfo } from '@nats-io/jetstream'
import { inNamespace } from '../naming.ts'
import { isArchived } from '../write/stream-info.ts'

/*
 * Where handlers stood at one moment. No two things are read at once, so:
 * F1  Durables and partitions are read first, then lanes, then how long the streams are. What had an ack by then is on a lane, or its
 *     outputs and its letter are in a stream up to the sequence that is read last.
 */

export type Floor = {
  readonly stream: string
  readonly epoch: number
  readonly durable: string
  /** It had acks for all up to this sequence. */
  readonly floor: number
  /** Of a durable on lanes: what is there, as `<stream>.<epoch>.<seq>@<stored ns>`. */
  readonly waiting: readonly string[]
  readonly config: object
}

export type Sample = {
  /** Unix ms. */
  readonly atMs: number
  /** Streams of the archive, and of lanes; `lastSeq` when all else had been read. */
  readonly streams: readonly { info: StreamInfo; isArchived: boolean }[]
  readonly floors: readonly Floor[]
  /** Of `MESH_PARTITIONS`. */
  readonly partitions: readonly { bucket: string; key: string; value: string }[]
}

/** Needs `$JS.API.STREAM.LIST`, `STREAM.INFO` of lanes, `CONSUMER.LIST` of all, and to read `MESH_PARTITIONS` and lanes. */
export async function takeSample(jsm: JetStreamManager, namespace: string): Promise<Sample> {
  const atMs = Date.now()
  const all = await list(jsm, namespace)
  const events = all.filter((info) => isArchived(info, namespace))
  const lanes = all.filter(({ config }) => config.metadata?.['malha.kind'] === 'lanes')
  const floors: Floor[] = []
  for (const info of events) floors.push(...(await durablesOn(jsm, info, new Map())))
  const partitions = await partitionsOf(jsm, all)
  for (const info of lanes) floors.push(...(await durablesOn(jsm, info, await waitingOn(jsm, info, namespace))))
  const now = await list(jsm, namespace) // F1
  const kept = now.filter((info) => info.config.metadata?.['malha.format'] !== undefined)
  return {
    atMs,
    streams: kept.map((info) => ({ info, isArchived: isArchived(info, namespace) })),
    floors,
    partitions,
  }
}

async function list(jsm: JetStreamManager, namespace: string): Promise<StreamInfo[]> {
  const infos: StreamInfo[] = []
  for await (const info of jsm.streams.list())
    if (inNamespace(namespace, info.config.name.replace(/^KV_/, ''))) infos.push(info)
  return infos
}

async function durablesOn(
  jsm: JetStreamManager,
  info: StreamInfo,
  waiting: ReadonlyMap<string, readonly string[]>,
): Promise<Floor[]> {
  const floors: Floor[] = []
  for await (const consumer of jsm.consumers.list(info.config.name)) {
    const { durable_name: durable, ...config } = consumer.config
    if (durable === undefined) continue
    floors.push({
      stream: info.config.name,
      epoch: epochOf(info),
      durable,
      floor: info.config.retention === RetentionPolicy.Limits ? floorOf(consumer) : 0,
      waiting: waiting.get(durable) ?? [],
      config: { ...config, durable_name: durable },
    })
  }
  return floors
}

/** One that was just made says so of what is before it only by where it begins. */
function floorOf({ config, ack_floor, delivered, num_ack_pending }: ConsumerInfo): number {
  if (num_ack_pending === 0) return delivered.stream_seq
  return Math.max(ack_floor.stream_seq, (config.opt_start_seq ?? 1) - 1)
}

/** By durable. What a run sent is the run's to send again. */
async function waitingOn(jsm: JetStreamManager, info: StreamInfo, namespace: string): Promise<Map<string, string[]>> {
  const { name, subjects } = info.config
  const known = names(namespace)
  const found = new Map<string, string[]>()
  const add = (subject: string, place: string): void => {
    const [, service = '', handler = ''] = known.strip(subject).split('.')
    const durable = known.durable(service, handler)
    found.set(durable, [...(found.get(durable) ?? []), place])
  }
  const { state } = await jsm.streams.info(name, { subjects_filter: (subjects[0] ?? '>').replace(/>$/, '*.at.>') })
  for (const subject of Object.keys(state.subjects ?? {})) {
    const place = /\.at\.([^.]+\.\d+\.\d+@\d+)$/.exec(subject)?.[1]
    if (place !== undefined) add(subject, place)
  }
  // What is due has left the subject that names it.
  const due = (subjects[0] ?? '>').replace(/>$/, '*.now')
  for (let seq = 1; ;) {
    const request = { seq, next_by_subj: due } as Parameters<JetStreamManager['streams']['getMessage']>[1]
    const message = await jsm.streams.getMessage(name, request)
    if (!message) return found
    const of = (header: string): string => message.header.get(`malha-origin-${header}`)
    const stream = of('stream').slice(namespace === '' ? 0 : namespace.length + 1)
    if (!message.header.has('malha-run'))
      add(message.subject, `${stream}.${of('epoch')}.${of('seq')}@${of('stored-ns')}`)
    seq = message.seq + 1
  }
}

async function partitionsOf(jsm: JetStreamManager, all: readonly StreamInfo[]): Promise<Sample['partitions']> {
  const stream = all.find(({ config }) => config.metadata?.['malha.kind'] === 'partitions')?.config.name
  if (stream === undefined) return []
  const prefix = `$KV.${stream.slice('KV_'.length)}.`
  const { state } = await jsm.streams.info(stream, { subjects_filter: `${prefix}>` })
  const found: { bucket: string; key: string; value: string }[] = []
  for (const subject of Object.keys(state.subjects ?? {})) {
    const key = subject.slice(prefix.length)
    if (!/\.(at\.\d+|begin)$/.test(key)) continue
    const message = await jsm.streams.getMessage(stream, { last_by_subj: subject })
    if (message) found.push({ bucket: stream.slice('KV_'.length), key, value: message.string() })
  }
  return found
}
