import { OrderedRunner } from '../consume/ordered/ordered-runner.ts'
import { OrderedWatch } from '../consume/ordered/ordered-watch.ts'
import { type Beginning, PartitionStore } from '../consume/ordered/partition-store.ts'
import type { RunnerOptions } from '../consume/runner-options.ts'
import type { HandlerDef, ServiceDef } from '../service/define.ts'
import { PARTITION_BUCKET } from '../topology/system.ts'
import type { ServiceDeps } from './start-service.ts'

/** The records of a handler's partitions. */
export function partitionStoreOf(
  { nc, names, publisher }: Pick<ServiceDeps, 'nc' | 'names' | 'publisher'>,
  service: ServiceDef,
  handler: string,
): PartitionStore {
  const bucket = names.bucket(PARTITION_BUCKET)
  return new PartitionStore({ nc, pipeline: publisher.pipeline, bucket, handler: names.durable(service.name, handler) })
}

/** Whether a service needs the bucket of ordered handlers. */
export const hasOrder = (service: ServiceDef): boolean =>
  Object.values(service.handlers).some(({ order }) => order !== undefined)

/** A handler that keeps the order of its keys, and who looks after it. */
export function startOrdered(options: RunnerOptions & { store: PartitionStore; beginning: Beginning }): {
  runner: OrderedRunner
  supervisor: OrderedWatch
} {
  const { def, names } = options
  const filtersOf = (partition: number): string[] =>
    partitionFilters(def, partition).map((filter) => names.subject(filter))
  const runner = new OrderedRunner({ ...options, leaseMs: def.ackWaitMs, filtersOf })
  return { runner, supervisor: new OrderedWatch({ ...options, runner, filtersOf }) }
}

/** What a partition takes. Events from before the contract had a key are one key of the first partition. */
function partitionFilters({ source }: HandlerDef, partition: number): string[] {
  const type = source.kind === 'topic' ? source.pattern : source.type
  return [...(partition === 0 ? [type] : []), `${type}.${partition}.*`]
}
