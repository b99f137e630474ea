import { DiscardPolicy, type StreamInfo } from '@nats-io/jetstream'

/** How near the oldest event not yet archived is to leaving its stream. */
export type Retention = {
  /** 0: just stored; 1: gone. */
  readonly usedRatio: number
  /** When the stream removes it, ms since 1970; undefined while nothing says so. */
  readonly lostAtMs: number | undefined
}

export type Unarchived = {
  /** How many events of the stream are not archived. */
  readonly messages: number
  /** When the oldest of them was stored, ms since 1970. */
  readonly oldestAtMs: number
  /** How fast the stream grows, bytes a millisecond. */
  readonly bytesPerMs: number
}

/**
 * By age always. By size only where a full stream drops its oldest (`discard: old`): one that refuses new events instead
 * loses none.
 */
export function retentionOf(info: StreamInfo, unarchived: Unarchived, nowMs: number): Retention {
  const candidates = [byAge(info, unarchived, nowMs), bySize(info, unarchived, nowMs), byCount(info, unarchived)]
  const usedRatio = Math.max(0, ...candidates.map((candidate) => candidate.usedRatio))
  const times = candidates.map((candidate) => candidate.lostAtMs).filter((at) => at !== undefined)
  return { usedRatio, lostAtMs: times.length > 0 ? Math.min(...times) : undefined }
}

const NONE: Retention = { usedRatio: 0, lostAtMs: undefined }

function byAge(info: StreamInfo, unarchived: Unarchived, nowMs: number): Retention {
  const maxAgeMs = info.config.max_age / 1e6
  if (!(maxAgeMs > 0)) return NONE
  return { usedRatio: (nowMs - unarchived.oldestAtMs) / maxAgeMs, lostAtMs: unarchived.oldestAtMs + maxAgeMs }
}

function bySize(info: StreamInfo, unarchived: Unarchived, nowMs: number): Retention {
  const limit = info.config.max_bytes
  if (info.config.discard === DiscardPolicy.New || !(limit > 0) || info.state.messages === 0) return NONE
  const bytes = info.state.bytes * Math.min(1, unarchived.messages / info.state.messages)
  const lostAtMs = unarchived.bytesPerMs > 0 ? nowMs + (limit - bytes) / unarchived.bytesPerMs : undefined
  return { usedRatio: bytes / limit, lostAtMs }
}

function byCount(info: StreamInfo, unarchived: Unarchived): Retention {
  const limit = info.config.max_msgs
  if (info.config.discard === DiscardPolicy.New || !(limit > 0)) return NONE
  return { usedRatio: unarchived.messages / limit, lostAtMs: undefined }
}

/** 0, 50 or 80: the alarm a ratio is worth. */
export function alarmOf(usedRatio: number): 0 | 50 | 80 {
  if (usedRatio >= 0.8) return 80
  return usedRatio >= 0.5 ? 50 : 0
}
