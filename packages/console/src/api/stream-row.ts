import type { StreamView } from '@malha/operations'
import { storedPerSecond } from '../looks/rates.ts'
import type { Sample } from '../looks/sampler.ts'
import type { StreamRow } from './schemas/streams.ts'

/** A stream as it was seen last, with what the samples before it say. */
export function streamRow(samples: readonly Sample[], stream: StreamView): StreamRow {
  const { name, messages, bytes, maxBytes = null, used = null, maxAgeMs = null, headroom } = stream
  const rate = storedPerSecond(samples, name)
  const size = messages > 0 ? bytes / messages : 0
  const isFilling = maxBytes !== null && rate !== null && rate * size > 0
  return {
    name,
    kind: stream.kind,
    messages,
    bytes,
    maxBytes,
    used,
    discard: stream.discard,
    maxAgeMs,
    oldestAt: stream.oldestAt ?? null,
    replicas: stream.replicas,
    leader: stream.leader ?? null,
    laggards: [...stream.laggards],
    consumers: stream.consumers,
    alarms: [...stream.alarms],
    headroom: headroom ? { ...headroom } : null,
    storedPerSecond: rate,
    fullInMs: isFilling ? (Math.max(0, maxBytes - bytes) / (rate * size)) * 1000 : null,
  }
}
