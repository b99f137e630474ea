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

/** A handler that keeps the order of its keys, and who looks after it. */
export function startOrdered(options: RunnerOptions & { store: PartitionStore; beginning: Beginning }): {
  runner: OrderedRunner
  supervisor: OrderedWatch
} {
  const { def, names } = options
  const filterOf = (partition: number): string => names.subject(partitionFilter(def, partition))
  const runner = new OrderedRunner({ ...options, leaseMs: def.ackWaitMs, filterOf })
  return { runner, supervisor: new OrderedWatch({ ...options, runner, filterOf }) }
}

/** What a partition takes. Events from before the contract had a key are the only key of the one behind the last. */
function partitionFilter({ source }: HandlerDef, partition: number): string {
  const type = source.kind === 'topic' ? source.pattern : source.type
  return partition === source.stream.partitions ? type : `${type}.${partition}.*`
}
