import type { ConsumerInfo } from '@nats-io/jetstream'
import type { Facts, Watched } from './facts.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn, fail } = findingsOf('consumers')

/** Durables of handlers: whether they move, and whether somebody changed them by hand. Pure. */
export function checkConsumers({ durables }: Pick<Facts, 'durables'>): Finding[] {
  const own = durables.filter(({ now }) => now.config.metadata?.['malha.handler'] !== undefined)
  const found = own.flatMap((one) => [...settings(one.now), ...movement(one)])
  return found.length > 0 ? found : [ok('consumers', `${own.length}, all as they should be`)]
}

/** `CENTERS > provider_senninha`. */
export const consumerName = ({ stream_name: stream, name }: ConsumerInfo): string => `${stream} > ${name}`

function settings(info: ConsumerInfo): Finding[] {
  const { config, stream_name: stream, name } = info
  const service = config.metadata?.['malha.service']
  const edit = (flags: string): string => `nats consumer edit ${stream} ${name} ${flags}`
  const found: Finding[] = []
  if ((config.max_deliver ?? -1) > 0)
    found.push(
      fail(
        consumerName(info),
        `max_deliver is ${config.max_deliver}: a message delivered so often is forgotten without a letter`,
        `restart the instances of ${service}: at its start each puts its durables right; lifted by hand, what was given up stays so`,
      ),
    )
  else if (info.num_redelivered > info.num_ack_pending)
    found.push(
      fail(
        consumerName(info),
        `the server gave ${info.num_redelivered - info.num_ack_pending} messages up, so that nobody gets them: it had a max_deliver`,
        `restart the instances of ${service}`,
      ),
    )
  if ((config.backoff?.length ?? 0) > 0)
    found.push(fail(consumerName(info), 'it has a backoff of its own, which rewrites ack_wait', edit('--backoff=none')))
  if (config.ack_policy !== 'explicit')
    found.push(
      fail(
        consumerName(info),
        `ack_policy is ${config.ack_policy}, and must be explicit: it cannot be changed`,
        `stop the service, nats consumer rm ${stream} ${name}, start it: it goes on at its checkpoint`,
      ),
    )
  if (config.deliver_subject !== undefined)
    found.push(
      fail(
        consumerName(info),
        'it pushes, so no handler can pull from it',
        `stop the service, nats consumer rm ${stream} ${name}, start it: it goes on at its checkpoint`,
      ),
    )
  return found
}

function movement({ first, now }: Watched): Finding[] {
  const about = consumerName(now)
  const { 'malha.service': service, 'malha.handler': handler } = now.config.metadata ?? {}
  const most = now.config.max_ack_pending ?? 0
  if (now.cluster && now.cluster.leader === undefined)
    return [fail(about, 'it has no leader: it delivers nothing', 'bring its servers back, or see nats consumer report')]
  if (now.paused)
    return [warn(about, 'it is paused on the server', `nats consumer resume ${now.stream_name} ${now.name}`)]
  if (most > 0 && now.num_ack_pending >= most)
    return [
      fail(
        about,
        `${now.num_ack_pending} messages are with handlers and not acknowledged, which is as many as it may be (max_ack_pending): nothing more is delivered`,
        `see what the instances of ${service} do with them (logs, handler ${handler}); one that hangs gives them back when it is restarted`,
      ),
    ]
  if (now.num_pending === 0 || hasMoved({ first, now })) return []
  if (first.num_waiting + now.num_waiting === 0)
    return [
      warn(
        about,
        `${now.num_pending} messages wait and no instance of ${service} pulls`,
        `start ${service}; where it runs, its breaker is open or it is paused: malha handlers show ${service}/${handler}`,
      ),
    ]
  return [
    fail(
      about,
      `${now.num_pending} messages wait and instances of ${service} pull, but the server delivers nothing`,
      `nats consumer cluster step-down ${now.stream_name} ${now.name}; on a single server, restart it`,
    ),
  ]
}

const hasMoved = ({ first, now }: Watched): boolean =>
  first !== now &&
  (first.delivered.consumer_seq !== now.delivered.consumer_seq ||
    first.ack_floor.consumer_seq !== now.ack_floor.consumer_seq ||
    first.num_ack_pending !== now.num_ack_pending)
