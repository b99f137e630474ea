/**
 * What the tools of the NATS micro protocol ask a service: `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, of all services, of one
 * by name, of one instance (ADR 32 of nats-architecture-and-design).
 */
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import type { Logger } from '../observe/logger.ts'
import type { Responder } from './responder.ts'
import { incoming, QUEUE_GROUP } from './wire.ts'

export type DiscoveryOptions = {
  nc: NatsConnection
  log: Logger
  /** As the micro protocol knows it: with the namespace. */
  name: string
  /** Of this process. */
  instance: string
  version: string
  metadata: Readonly<Record<string, string>>
  responders: readonly Responder[]
}

const VERBS = ['PING', 'INFO', 'STATS'] as const
type Verb = (typeof VERBS)[number]

/** semver.org's rule, as the protocol asks for it. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-((0|[1-9]\d*|\d*[a-zA-Z-][\w-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][\w-]*))*))?(\+[\w-]+(\.[\w-]+)*)?$/

/** Answers the tools until the subscriptions end. Where this user may not subscribe to `$SRV`, only the tools miss it. */
export function discoverable(options: DiscoveryOptions): Subscription[] {
  const { nc, log, name, instance } = options
  const started = new Date().toISOString()
  const subscribe = (verb: Verb, subject: string): Subscription =>
    nc.subscribe(subject, {
      callback(refused, msg) {
        if (refused) {
          log.info({ subject }, 'not seen by NATS micro tools: this user may not subscribe there')
          return
        }
        try {
          const { reply } = incoming(msg)
          if (reply !== '') nc.publish(reply, JSON.stringify(describe(verb, options, started)))
        } catch (error) {
          log.warn({ err: error, subject }, 'a NATS micro tool was not answered')
        }
      },
    })
  return VERBS.flatMap((verb) =>
    [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${instance}`].map((subject) =>
      subscribe(verb, subject),
    ),
  )
}

function describe(verb: Verb, options: DiscoveryOptions, started: string): object {
  const { name, instance, version, responders } = options
  const isSemver = SEMVER.test(version)
  const common = {
    type: `io.nats.micro.v1.${verb.toLowerCase()}_response`,
    name,
    id: instance,
    version: isSemver ? version : '0.0.0',
    metadata: isSemver ? options.metadata : { ...options.metadata, 'malha.version': version },
  }
  if (verb === 'PING') return common
  if (verb === 'INFO') return { ...common, description: '', endpoints: responders.map(endpointInfo) }
  return { ...common, started, endpoints: responders.map(endpointStats) }
}

function endpointInfo({ name, subject, def }: Responder): object {
  const { type, version, streaming, codec, errors } = def.contract
  const metadata = {
    'malha.type': type,
    'malha.schema-version': String(version),
    'malha.streaming': String(streaming),
    'malha.content-type': codec.contentType,
    'malha.errors': Object.keys(errors as object).join(' '),
  }
  return { name, subject, queue_group: QUEUE_GROUP, metadata }
}

/** Times in ns, as whole numbers. */
function endpointStats({ name, subject, stats }: Responder): object {
  const processing = Math.round(stats.processingMs * 1e6)
  return {
    name,
    subject,
    queue_group: QUEUE_GROUP,
    num_requests: stats.requests,
    num_errors: stats.errors,
    last_error: stats.lastError,
    processing_time: processing,
    average_processing_time: stats.requests === 0 ? 0 : Math.floor(processing / stats.requests),
  }
}
