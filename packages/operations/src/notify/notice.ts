/** What people may be told: plain data, before it is put into words. Times are RFC 3339, by the server's clock. */
export type Notice = LettersNotice | BreakerNotice | HeadroomNotice | StreamNotice

/** Letters of a group that nobody was told of. */
export type LettersNotice = {
  readonly kind: 'letters'
  readonly group: string
  /** Null where a spool wrote them. */
  readonly service: string | null
  readonly handler: string | null
  readonly code: string
  /** What the letters of the group have in common. */
  readonly reason: string
  readonly letters: number
  /** The first of them, its number. */
  readonly letter: number
  readonly firstAt: string
  readonly lastAt: string
}

/** A breaker that is open for long. */
export type BreakerNotice = {
  readonly kind: 'breaker'
  readonly service: string
  readonly handler: string
  readonly since: string
  /** Processes that have it open. */
  readonly instances: readonly string[]
}

/** Events will age out before their handler is done with them. */
export type HeadroomNotice = {
  readonly kind: 'headroom'
  readonly service: string
  readonly handler: string
  readonly headroomMs: number
  /** Not handled. */
  readonly messages: number
}

/** A stream that refuses what comes once it is full. */
export type StreamNotice = {
  readonly kind: 'stream'
  readonly stream: string
  /** 0 to 1. */
  readonly used: number
}

/**
 * A thing that stands as it is until it changes. It is told when `episode` is another one or `level` is higher than what was told.
 */
export type Condition = {
  readonly notice: Notice
  readonly episode: string
  readonly level: number
}

/** By what at most one message in the quiet time is told; a key of the bucket. */
export function keyOf(notice: Notice): string {
  if (notice.kind === 'letters') return `letters.${notice.group}`
  if (notice.kind === 'stream') return `stream.${notice.stream}`
  return `${notice.kind}.${notice.service}.${notice.handler}`
}
