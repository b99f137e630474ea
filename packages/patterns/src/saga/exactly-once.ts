import type { StreamDef } from '@malha/mesh'
import { faultsError } from '../errors.ts'
import type { SagaDef } from './saga.ts'

/**
 * Whether what a saga sends can be stored in one atomic batch with a marker, and is to be.
 * @throws PatternsError PATTERNS_INVALID_DEFINITION when it is asked for and cannot be
 */
export function isExactlyOnce<State>(def: SagaDef<State>, asked: boolean | undefined): boolean {
  if (asked === false) return false
  const faults = [...streamFaults(def)]
  if (faults.length === 0) return true
  if (asked) throw faultsError(`saga ${JSON.stringify(def.name)} cannot be exactlyOnce`, faults)
  return false
}

function streamFaults<State>({ sends, steps, timeout }: SagaDef<State>): string[] {
  const to = new Map([...sends.values()].map(({ stream }) => [stream.name, stream]))
  if (to.size > 1) return [`what it sends belongs to ${to.size} streams (${[...to.keys()].join(', ')}); one is needed`]
  const contracts = Object.values(steps).flatMap((one) => (one.kind === 'timed-out' ? [] : [one.contract]))
  const from = [...contracts, ...(timeout ? [timeout] : [])].map(({ stream }) => stream)
  // What a service says it publishes is held against each of its handlers, a time-out too.
  const kept = [...to.values(), ...(timeout ? [timeout.stream] : [])]
  return kept.flatMap((stream) => tooShort(stream, from))
}

function tooShort(stream: StreamDef, from: readonly StreamDef[]): string[] {
  const longest = Math.max(...from.map(({ maxAgeMs }) => maxAgeMs))
  if (stream.maxAgeMs >= longest) return []
  return [
    `stream ${stream.name} keeps what it holds for ${stream.maxAgeMs} ms, and the saga’s events are kept for ${longest} ms`,
  ]
}
