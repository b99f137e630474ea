import type { Labels, Metrics } from './metrics.ts'

/** How a delivery ended. */
export type Outcome = 'ok' | 'retry' | 'dead' | 'invalid'

/** A handler's labels with each outcome, made once for all its messages. */
export type OutcomeLabels = Readonly<Record<Outcome, Labels>>

export function outcomeLabels(handler: Labels): OutcomeLabels {
  const of = (outcome: Outcome): Labels => ({ ...handler, outcome })
  return { ok: of('ok'), retry: of('retry'), dead: of('dead'), invalid: of('invalid') }
}

/** An event type's labels with the outcomes of a publish, made once for all its events. */
export function publishedLabels(type: string): Readonly<Record<'ok' | 'error' | 'queued', Labels>> {
  const of = (outcome: string): Labels => ({ messaging_destination_template: type, outcome })
  return { ok: of('ok'), error: of('error'), queued: of('queued') }
}

/** The metrics of the library: names, units and labels are part of its interface (docs/reference/metrics.md). */
export type MeshMetrics = ReturnType<typeof meshMetrics>

/** Semantic conventions' advised buckets for messaging durations, s. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const AGE_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400]
const ATTEMPTS = [1, 2, 3, 5, 10, 20, 50, 100, 1000]

/** The server looks for what is due every 250 ms. */
const LATENESS_SECONDS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2, 5, 15, 60, 600]

const HANDLER = ['service', 'handler'] as const

// oxlint-disable-next-line typescript/explicit-module-boundary-types -- an object of functions, typed by MeshMetrics
export function meshMetrics(metrics: Metrics): {
  /** `labels` as {@link publishedLabels} gives them. */
  published(labels: Labels, ms: number): void
  spool(state: SpoolGauges): void
  /** `labels` with the outcome. */
  processed(labels: Labels, ms: number, traceId?: string): void
  age(handler: Labels, ms: number): void
  attempts(handler: Labels, count: number): void
  delayed(count: number): void
  /** A due event could not be brought to its stream, and is tried again. */
  delayFailed(type: string, code: string): void
  lateness(type: string, ms: number): void
  deadLetter(handler: Labels, code: string): void
  repeated(handler: Labels, by: 'marker' | 'inbox'): void
  inflight(handler: Labels, count: number): void
  leaked(handler: Labels, count: number): void
  limits(handler: Labels, concurrency: number, perSecond: number | undefined): void
  breaker(handler: Labels, state: 0 | 1 | 2): void
  paused(handler: Labels, isPaused: boolean): void
  consumer(handler: Labels, state: ConsumerGauges): void
  expired(handler: Labels, count: number): void
  /** Found by an advisory of the server, or by a look. */
  broughtBack(handler: Labels, by: 'advisory' | 'sweep'): void
  leads(isLeader: boolean): void
  /** A certificate or credentials of this process; undefined: never. */
  ends(kind: string, at: Date | undefined): void
  requested(type: string, outcome: string, ms: number, traceId?: string): void
  requesting(type: string, count: number): void
  replied(reply: Labels, outcome: string, ms: number, traceId?: string): void
  replying(reply: Labels, count: number): void
  leakedReplies(reply: Labels, count: number): void
  takeover(handler: Labels): void
  partitions(handler: Labels, state: PartitionGauges): void
} {
  const sent = metrics.counter({
    name: 'messaging_client_sent_messages_total',
    help: 'Events published.',
    labels: ['messaging_destination_template', 'outcome'],
  })
  const sendSeconds = metrics.histogram({
    name: 'messaging_client_operation_duration_seconds',
    help: 'From publish to PubAck.',
    labels: ['messaging_destination_template', 'outcome'],
    buckets: SECONDS,
  })
  const processed = metrics.counter({
    name: 'mesh_messages_processed_total',
    help: 'Deliveries by how they ended.',
    labels: [...HANDLER, 'outcome'],
  })
  const processSeconds = metrics.histogram({
    name: 'messaging_process_duration_seconds',
    help: 'Time in the handler.',
    labels: [...HANDLER, 'outcome'],
    buckets: SECONDS,
  })
  const age = metrics.histogram({
    name: 'mesh_message_age_seconds',
    help: 'From stored to the start of its first attempt.',
    labels: HANDLER,
    buckets: AGE_SECONDS,
  })
  const attempts = metrics.histogram({
    name: 'mesh_attempts_per_message',
    help: 'Attempts until a message was done or dead.',
    labels: HANDLER,
    buckets: ATTEMPTS,
  })
  const dead = metrics.counter({
    name: 'mesh_dead_letters_total',
    help: 'Dead letters written.',
    labels: [...HANDLER, 'code'],
  })
  const expired = metrics.counter({
    name: 'mesh_expired_messages_total',
    help: 'Sequences that aged out before the handler was past them.',
    labels: HANDLER,
  })
  const repeated = metrics.counter({
    name: 'mesh_repeated_messages_total',
    help: 'Messages that were found to be done before.',
    labels: [...HANDLER, 'by'],
  })
  const delayed = metrics.gauge({
    name: 'mesh_delayed_messages',
    help: 'Events that wait to be due, in the whole mesh.',
    labels: [],
  })
  const lateness = metrics.histogram({
    name: 'mesh_delay_lateness_seconds',
    help: 'From when a delayed event was due until its stream had it.',
    labels: ['messaging_destination_template'],
    buckets: LATENESS_SECONDS,
  })
  const delayFailures = metrics.counter({
    name: 'mesh_delay_failures_total',
    help: 'Tries to bring a due event to its stream that failed; it is tried again.',
    labels: ['messaging_destination_template', 'code'],
  })
  const gauge = (name: string, help: string): ReturnType<Metrics['gauge']> =>
    metrics.gauge({ name, help, labels: HANDLER })
  const inflight = gauge('mesh_inflight', 'Messages being handled now.')
  const leaked = gauge('mesh_leaked_slots', 'Handlers that never returned; each holds a slot.')
  const concurrency = gauge('mesh_concurrency', 'Messages this process may handle at once.')
  const rateLimit = gauge('mesh_rate_limit_per_second', 'Messages this process may start a second; 0 without a limit.')
  const breaker = gauge('mesh_breaker_state', '0 closed, 1 half open, 2 open.')
  const paused = gauge('mesh_handler_paused', '1 while somebody has paused the handler, else 0.')
  const owned = gauge('mesh_partitions_owned', 'Partitions of an ordered handler this process has.')
  const keysHeld = gauge('mesh_keys_held', 'Keys whose first event waits for a retry.')
  const keysBehindLetters = gauge('mesh_keys_behind_letters', 'Keys that a dead letter holds (onDeadLetter: hold-key).')
  const full = gauge(
    'mesh_partitions_full',
    'Partitions of an ordered handler that read nothing new, because as many of their keys wait as may.',
  )
  const keysParked = gauge('mesh_keys_parked', 'Keys with events left in the stream until their turn comes.')
  const broughtBack = metrics.counter({
    name: 'mesh_brought_back_total',
    help: 'Durables set back, because the server had given messages up.',
    labels: [...HANDLER, 'by'],
  })
  const leads = metrics.gauge({
    name: 'mesh_leader',
    help: '1 in the process that looks after what the server gives up.',
    labels: [],
  })
  const ends = metrics.gauge({
    name: 'mesh_credentials_end_timestamp_seconds',
    help: 'When the first certificate, authority or credentials of this process ends, unix time.',
    labels: ['kind'],
  })
  const takeovers = metrics.counter({
    name: 'mesh_partition_takeovers_total',
    help: 'Partitions taken from an instance that was gone.',
    labels: HANDLER,
  })
  const pending = gauge('mesh_consumer_pending', 'Messages not yet delivered to the handler.')
  const ackPending = gauge('mesh_consumer_ack_pending', 'Messages delivered and not settled.')
  const oldest = gauge('mesh_consumer_oldest_seconds', 'Age of the oldest unsettled message.')
  const expiresIn = gauge(
    'mesh_consumer_expires_in_seconds',
    'Until the oldest unsettled message ages out of its stream.',
  )
  const REPLY = ['service', 'reply'] as const
  const requestSeconds = metrics.histogram({
    name: 'mesh_request_duration_seconds',
    help: 'From request to answer.',
    labels: ['type', 'outcome'],
    buckets: SECONDS,
  })
  const requests = metrics.gauge({
    name: 'mesh_requests_inflight',
    help: 'Requests not yet answered.',
    labels: ['type'],
  })
  const replySeconds = metrics.histogram({
    name: 'mesh_reply_duration_seconds',
    help: 'Time to answer a request.',
    labels: [...REPLY, 'outcome'],
    buckets: SECONDS,
  })
  const replies = metrics.gauge({ name: 'mesh_replies_inflight', help: 'Requests being answered now.', labels: REPLY })
  const leakedReplies = metrics.gauge({
    name: 'mesh_leaked_replies',
    help: 'Reply functions that never returned; each holds a slot.',
    labels: REPLY,
  })
  const spoolGauge = (name: string, help: string, labels: readonly string[] = []): ReturnType<Metrics['gauge']> =>
    metrics.gauge({ name, help, labels })
  const spoolEntries = spoolGauge('mesh_spool_entries', 'Events that wait in the spool.', ['stream'])
  const spoolBytes = spoolGauge('mesh_spool_bytes', 'What the spool holds, the dead included.')
  const spoolMaxBytes = spoolGauge('mesh_spool_max_bytes', 'What the spool holds at most.')
  const spoolOldest = spoolGauge('mesh_spool_oldest_seconds', 'Age of the oldest event that waits in the spool.')
  const spoolDead = spoolGauge('mesh_spool_dead', 'Spooled events that were refused for good.')
  return {
    spool({ entries, bytes, maxBytes, oldestMs, dead }) {
      for (const [stream, count] of entries) spoolEntries.set({ stream }, count)
      spoolBytes.set({}, bytes)
      spoolMaxBytes.set({}, maxBytes)
      spoolOldest.set({}, oldestMs / 1000)
      spoolDead.set({}, dead)
    },
    published(labels, ms) {
      sent.add(labels)
      sendSeconds.observe(labels, ms / 1000)
    },
    processed(labels, ms, traceId) {
      processed.add(labels)
      processSeconds.observe(labels, ms / 1000, traceId)
    },
    age: (handler, ms) => age.observe(handler, Math.max(0, ms) / 1000),
    delayed: (count) => delayed.set({}, count),
    delayFailed: (type, code) => delayFailures.add({ messaging_destination_template: type, code }),
    lateness: (type, ms) => lateness.observe({ messaging_destination_template: type }, Math.max(0, ms) / 1000),
    attempts: (handler, count) => attempts.observe(handler, count),
    deadLetter: (handler, code) => dead.add({ ...handler, code }),
    repeated: (handler, by) => repeated.add({ ...handler, by }),
    inflight: (handler, count) => inflight.set(handler, count),
    leaked: (handler, count) => leaked.set(handler, count),
    limits(handler, atOnce, perSecond = 0) {
      concurrency.set(handler, atOnce)
      rateLimit.set(handler, perSecond)
    },
    breaker: (handler, state) => breaker.set(handler, state),
    paused: (handler, isPaused) => paused.set(handler, isPaused ? 1 : 0),
    expired: (handler, count) => expired.add(handler, count),
    requested: (type, outcome, ms, traceId) => requestSeconds.observe({ type, outcome }, ms / 1000, traceId),
    requesting: (type, count) => requests.set({ type }, count),
    replied: (reply, outcome, ms, traceId) => replySeconds.observe({ ...reply, outcome }, ms / 1000, traceId),
    replying: (reply, count) => replies.set(reply, count),
    leakedReplies: (reply, count) => leakedReplies.set(reply, count),
    broughtBack: (handler, by) => broughtBack.add({ ...handler, by }),
    leads: (isLeader) => leads.set({}, isLeader ? 1 : 0),
    ends: (kind, at) => ends.set({ kind }, at ? at.getTime() / 1000 : Infinity),
    takeover: (handler) => takeovers.add(handler),
    partitions(handler, state) {
      owned.set(handler, state.owned)
      keysHeld.set(handler, state.held)
      keysParked.set(handler, state.parked)
      keysBehindLetters.set(handler, state.behindLetters)
      full.set(handler, state.full)
    },
    consumer(handler, state) {
      pending.set(handler, state.pending)
      ackPending.set(handler, state.ackPending)
      oldest.set(handler, state.oldestMs / 1000)
      expiresIn.set(handler, state.expiresInMs / 1000)
    },
  }
}

export type ConsumerGauges = { pending: number; ackPending: number; oldestMs: number; expiresInMs: number }

export type PartitionGauges = { owned: number; held: number; parked: number; behindLetters: number; full: number }
export type SpoolGauges = {
  entries: ReadonlyMap<string, number>
  bytes: number
  maxBytes: number
  oldestMs: number
  dead: number
}
