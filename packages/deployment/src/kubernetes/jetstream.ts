import { names, type PlannedConsumer, type PlannedStream, plannedTopology } from '@malha/mesh'
import { bucketStreams } from '../buckets.ts'
import { delaysOf, type Deployment } from '../deployment.ts'
import type { KubeObject } from './object.ts'

/**
 * Streams and durables for NACK, as the mesh would make them: for clusters where nobody but a controller may. What is in a
 * stream outlives its object.
 */
export function jetstreamObjects(deployment: Deployment): { streams: KubeObject[]; consumers: KubeObject[] } {
  const services = deployment.workloads.flatMap(({ service }) => service ?? [])
  const { streams, consumers } = plannedTopology(services, { delays: delaysOf(deployment) })
  return {
    streams: [...streams, ...bucketStreams(deployment, names(''))].map(streamObject),
    consumers: consumers.map(consumerObject),
  }
}

/** The words of JetStream's API and those of NACK's `Stream` (v1beta2, NACK 0.23). */
function streamObject(stream: PlannedStream): KubeObject {
  return {
    apiVersion: 'jetstream.nats.io/v1beta2',
    kind: 'Stream',
    metadata: { name: objectName(stream.name) },
    spec: defined({
      name: stream.name,
      subjects: stream.subjects,
      retention: stream.retention ?? 'limits',
      storage: stream.storage ?? 'file',
      replicas: stream.num_replicas ?? 1,
      discard: stream.discard,
      discardPerSubject: stream.discard_new_per_subject,
      maxAge: duration(stream.max_age),
      maxBytes: stream.max_bytes,
      maxMsgs: stream.max_msgs,
      maxMsgsPerSubject: stream.max_msgs_per_subject,
      maxMsgSize: stream.max_msg_size,
      maxConsumers: stream.max_consumers,
      duplicateWindow: duration(stream.duplicate_window),
      allowDirect: stream.allow_direct,
      // The server adds it where there are schedules; a controller that does not know would take it away again and again.
      allowRollup: stream.allow_rollup_hdrs ?? stream.allow_msg_schedules,
      allowMsgTtl: stream.allow_msg_ttl,
      allowAtomicPublish: stream.allow_atomic,
      allowMsgSchedules: stream.allow_msg_schedules,
      subjectDeleteMarkerTtl: duration(stream.subject_delete_marker_ttl),
      denyDelete: stream.deny_delete,
      denyPurge: stream.deny_purge,
      metadata: stream.metadata,
      preventDelete: true,
    }),
  }
}

function consumerObject({ stream, config }: PlannedConsumer): KubeObject {
  const durable = config.durable_name ?? ''
  return {
    apiVersion: 'jetstream.nats.io/v1beta2',
    kind: 'Consumer',
    metadata: { name: objectName(`${stream}-${durable}`) },
    spec: defined({
      streamName: stream,
      durableName: durable,
      ackPolicy: 'explicit',
      ackWait: duration(config.ack_wait),
      deliverPolicy: DELIVER[config.deliver_policy ?? 'all'],
      optStartTime: config.opt_start_time,
      filterSubject: config.filter_subject,
      filterSubjects: config.filter_subjects,
      maxAckPending: config.max_ack_pending,
      maxDeliver: config.max_deliver,
      maxWaiting: config.max_waiting,
      replayPolicy: 'instant',
      metadata: config.metadata,
      preventDelete: true,
    }),
  }
}

const DELIVER: Readonly<Record<string, string>> = { all: 'all', new: 'new', by_start_time: 'byStartTime' }

/** Of an object: a DNS label. No two streams or durables differ in case alone, or in what becomes `-` here. */
const objectName = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-')

/** As Go reads a duration; undefined for none. */
const duration = (nanos: number | undefined): string | undefined =>
  nanos === undefined || nanos === 0 ? undefined : `${nanos / 1_000_000}ms`

const defined = (spec: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined))
