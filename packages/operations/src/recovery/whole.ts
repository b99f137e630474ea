/** Whether what was brought back is what the manifest says, on every replica. */
import {
  type ConsumerInfo,
  type JetStreamManager,
  RetentionPolicy,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream'
import { floorOf } from './durables.ts'
import type { Manifest, SavedDurable, SavedStream } from './manifest.ts'
import { patiently } from '../patiently.ts'
import type { Snapshot } from './snapshot.ts'

/** Elections, and replicas that get their copy. */
const CURRENT_MS = 60_000

/** Whether messages come to a stream with nobody there: what is due arrives where it is to, and what is over leaves a mark. */
export const growsAlone = ({ allow_msg_schedules, subject_delete_marker_ttl = 0 }: StreamConfig): boolean =>
  allow_msg_schedules || subject_delete_marker_ttl > 0

/** Whether messages leave a stream with nobody there, or left it while it was copied. */
const shrinksAlone = (config: StreamConfig): boolean =>
  growsAlone(config) ||
  config.allow_msg_ttl ||
  config.max_age > 0 ||
  config.max_msgs_per_subject > 0 ||
  config.retention !== RetentionPolicy.Limits

/** The last sequence of a stream when all of it is there. What schedules stored again counts by itself. */
export const lastOf = (config: StreamConfig, { lastSeq, later }: SavedStream): number =>
  growsAlone(config) ? lastSeq : lastSeq + (later?.messages ?? 0)

/** What of a stream is not as it was, in words; nothing for a whole one. */
export function differences({ config, state }: Snapshot, saved: SavedStream): string[] {
  const { first_seq: first, last_seq: last, messages } = state
  const [grows, shrinks] = [growsAlone(config), shrinksAlone(config)]
  const wanted = lastOf(config, saved)
  const isMore = messages > saved.messages + (saved.later?.messages ?? 0) && !grows
  const isFewer = messages < saved.messages && !shrinks
  return [
    ...(last < wanted || (last > wanted && !grows) ? [`last sequence ${last} for ${wanted}`] : []),
    ...(saved.messages > 0 && (first < saved.firstSeq || (first > saved.firstSeq && !shrinks))
      ? [`first sequence ${first} for ${saved.firstSeq}`]
      : []),
    ...(isMore || isFewer ? [`${messages} messages for ${saved.messages}`] : []),
  ]
}

/** What is not as the manifest says, of all streams and durables; nothing when all is whole. */
export async function faultsIn(jsm: JetStreamManager, { streams }: Manifest): Promise<string[]> {
  const faults: string[] = []
  const add = (of: string, found: readonly string[]): void => void faults.push(...found.map((what) => `${of}: ${what}`))
  for (const saved of streams) {
    const of = `stream ${saved.name}`
    try {
      const info = await currentStream(jsm, saved.name)
      add(of, differences(info, saved))
      for (const durable of saved.durables) add(of, await faultsOf(jsm, info, durable))
    } catch (error) {
      add(of, [error instanceof Error ? error.message : String(error)])
    }
  }
  return faults
}

async function faultsOf(jsm: JetStreamManager, stream: StreamInfo, saved: SavedDurable): Promise<string[]> {
  const name = saved.config.durable_name!
  const info = await untilCurrent(() => jsm.consumers.info(stream.config.name, name), stream.config.num_replicas)
  return standsElsewhere(info, saved, stream).map((what) => `durable ${name} has ${what}`)
}

/** How many messages the manifest counts that are over since. */
export async function countOver(jsm: JetStreamManager, { streams }: Manifest): Promise<number> {
  let over = 0
  for (const { name, messages } of streams)
    over += Math.max(0, messages - (await jsm.streams.info(name)).state.messages)
  return over
}

/**
 * A stream when every replica of it is current: looks for that for a minute.
 * @throws Error that says how many are, or what the server said last
 */
export const currentStream = (jsm: JetStreamManager, name: string): Promise<StreamInfo> =>
  untilCurrent(() => jsm.streams.info(name))

/** `replicas`: of one that says none of its own. */
const untilCurrent = <Info extends StreamInfo | ConsumerInfo>(look: () => Promise<Info>, replicas = 1): Promise<Info> =>
  patiently(CURRENT_MS, async () => {
    const info = await look()
    expectCurrent(info, info.config.num_replicas || replicas)
    return info
  })

function expectCurrent({ cluster }: StreamInfo | ConsumerInfo, replicas: number): void {
  // A stream that only its leader knows yet says of no others.
  const others = (cluster?.replicas ?? []).filter(({ current, offline }) => current && !offline)
  const current = others.length + ((cluster?.leader ?? '') === '' ? 0 : 1)
  if (replicas > 1 && current < replicas) throw new Error(`${current} of ${replicas} replicas are current`)
}

function standsElsewhere(info: ConsumerInfo, { config, floor }: SavedDurable, stream: StreamInfo): string[] {
  const filters = ({ filter_subject, filter_subjects }: Partial<ConsumerInfo['config']>): string =>
    (filter_subjects ?? [filter_subject ?? '>']).join(' ')
  const stands = floorOf(info)
  const isElsewhere = stream.config.retention === RetentionPolicy.Limits && stands !== floor
  return [
    ...(isElsewhere ? [`floor ${stands} for ${floor}`] : []),
    ...(filters(info.config) === filters(config) ? [] : [`filter ${filters(info.config)} for ${filters(config)}`]),
  ]
}
