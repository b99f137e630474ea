import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream'
import { advisoriesOf } from '../read/advisories.ts'
import type { Facts } from './facts.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn } = findingsOf('advisories')

/** The stream of what the server tells of messages that it gives up; undefined: nobody captures it. */
export const advisoryStreamOf = (streams: readonly StreamInfo[]): StreamInfo | undefined =>
  streams.find(({ config }) => config.metadata?.['malha.kind'] === 'advisories')

/** Whether what the server tells of messages that it gives up is captured, and acted upon. Pure. */
export function checkAdvisories({
  streams,
  durables,
  names,
}: Pick<Facts, 'streams' | 'durables' | 'names'>): Finding[] {
  const captured = advisoryStreamOf(streams)
  const about = names.stream('ADVISORIES')
  if (!captured) return [ok(about, 'no process captures what the server tells of messages that it gives up', LEAD)]
  const has = new Set(captured.config.subjects)
  const missing = streams
    .filter(({ config, state }) => config.metadata?.['malha.kind'] === 'events' && state.consumer_count > 0)
    .filter((stream) => isSettled(stream) && !has.has(advisoriesOf(stream.config.name, '*')))
    .map(({ config }) => config.name)
  const unread = durables
    .filter(({ now }) => now.stream_name === captured.config.name)
    .reduce((sum, { first, now }) => sum + Math.min(waiting(first), waiting(now)), 0)
  if (unread + missing.length === 0)
    return [ok(about, 'what the server tells of messages that it gives up is acted upon')]
  const untaken = `it does not take what the server tells of ${missing.join(', ')}`
  const unheard = `${unread} of what the server told of messages that it gave up were not acted upon: no process leads`
  return [
    ...(missing.length > 0
      ? [warn(about, untaken, `see whether another stream has ${advisoriesOf(missing[0]!, '*')}; ${LEAD}`)]
      : []),
    ...(unread > 0 ? [warn(about, unheard, LEAD)] : []),
  ]
}

const LEAD = 'start a service whose user may look after it: docs/how-to/run-on-your-own-nats.md'

/** A new one is taken at the leader's next look. */
const SETTLED_MS = 60_000

const isSettled = ({ created, ts = created }: StreamInfo): boolean => Date.parse(ts) - Date.parse(created) > SETTLED_MS

const waiting = ({ num_pending, num_ack_pending }: ConsumerInfo): number => num_pending + num_ack_pending
