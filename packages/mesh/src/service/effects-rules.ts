import { hours, minutes } from '../durations.ts'
import { MeshError } from '../errors.ts'
import { shown } from '../given.ts'
import { horizonOf } from '../failure/retry-policy.ts'
import type { AnyContract } from '../message/contract.ts'
import { MAX_BATCH } from '../publish/atomic-batch.ts'
import type { StreamDef } from '../topology/stream.ts'
import type { HandlerDef } from './define.ts'

/** The marker takes one of the batch. */
const MAX_OUTPUTS = MAX_BATCH - 1
/**
 * How long a marker lives. The message can be delivered again for as long as its stream keeps it, and from its lane for as
 * long as it is retried; an hour more for what is only waiting for the server.
 */
export function markerTtlMs({ source, retry }: HandlerDef): number {
  return source.stream.maxAgeMs + Math.max(horizonOf(retry), hours(1)) + minutes(1)
}

/** What is wrong with a handler's `effects`, given what its service says it publishes. */
export function effectsFaults(def: HandlerDef, publishes: readonly AnyContract[]): string[] {
  if (def.effects === undefined) return []
  if ((def.effects as string) !== 'once') return [`effects is ${shown(def.effects)}; 'once', or leave it out`]
  const streams = [...new Set(publishes.map(({ stream }) => stream))]
  return streams.map((stream) => shortLived(def, stream)).filter((fault) => fault !== undefined)
}

/** A stream removes a marker by its own age too: then a message that comes back later would be published for again. */
function shortLived({ source }: HandlerDef, stream: StreamDef): string | undefined {
  if (stream.maxAgeMs >= source.stream.maxAgeMs) return undefined
  return `with effects: 'once' stream ${stream.name} must keep what it holds for as long as ${source.stream.name} does (${source.stream.maxAgeMs} ms, it is ${stream.maxAgeMs}); raise its maxAgeMs`
}

/**
 * Checks one more output.
 * @throws MeshError MESH_INVALID_BATCH
 */
export function checkOnceOutput(
  def: HandlerDef,
  contract: AnyContract,
  before: readonly { contract: AnyContract }[],
): void {
  const other = before[0]?.contract
  const fault =
    (other && other.stream.name !== contract.stream.name
      ? `${contract.type} is in ${contract.stream.name}, and ${other.type} before it in ${other.stream.name}; with effects: 'once' all outputs belong to one stream`
      : undefined) ??
    shortLived(def, contract.stream) ??
    (before.length >= MAX_OUTPUTS ? `with effects: 'once' a message has ${MAX_OUTPUTS} outputs at most` : undefined)
  if (fault) throw new MeshError('MESH_INVALID_BATCH', fault)
}
