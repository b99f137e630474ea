import { type HandlerDef, plannedTopology, type PlannedConsumer, type ServiceDef } from '@malha/mesh'
import type { Deployment, Workload } from '../deployment.ts'
import type { KubeObject } from './object.ts'
import { places } from './places.ts'

/** Copies beyond which one finds no message that another may not have in hand already. */
export type UsefulCopies = { readonly copies: number; readonly because: string }

/**
 * KEDA starts copies of a workload by how much waits at its durables. Of one that is unknown it would know nothing, so
 * all durables are made before: by the Job `provision`, or by NACK.
 */
export const scaledObjects = ({ workloads }: Deployment): KubeObject[] =>
  workloads.flatMap((workload) =>
    workload.service && workload.scale ? [scaledObject(workload, workload.service, workload.scale.most)] : [],
  )

/**
 * How many copies of a service have work at once: beyond, `max_ack_pending` of each of its durables is used up, and a further
 * copy idles. Infinity without handlers.
 */
export function usefulCopies(service: ServiceDef): UsefulCopies {
  const bounds = durablesOf(service).map(({ handler, def, consumer: { config } }): UsefulCopies => {
    const pending = config.max_ack_pending ?? 1000
    const copies = Math.floor(pending / def.concurrency)
    return { copies, because: `handler ${handler}: ${pending} in hand at most, ${def.concurrency} a copy` }
  })
  return bounds.toSorted((a, b) => b.copies - a.copies)[0] ?? { copies: Infinity, because: 'nothing is handled' }
}

function scaledObject({ name, kind }: Workload, service: ServiceDef, most: number): KubeObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind, name },
      pollingInterval: 15,
      // Longer than the longest pause between two tries, which is a minute: what waits for one still counts.
      cooldownPeriod: 300,
      minReplicaCount: 1,
      maxReplicaCount: most,
      // Where the monitoring of NATS is away: enough to go on, too few to overwhelm a partner.
      fallback: { failureThreshold: 4, replicas: Math.min(2, most) },
      advanced: {
        horizontalPodAutoscalerConfig: { behavior: { scaleDown: { stabilizationWindowSeconds: 300 } } },
      },
      triggers: durablesOf(service).map(({ def, consumer }) => triggerOf(def, consumer)),
    },
  }
}

/** A further copy for as many messages as one has in hand eight times over: seconds of work, not hours. */
const triggerOf = ({ concurrency }: HandlerDef, { stream, config }: PlannedConsumer): object => ({
  type: 'nats-jetstream',
  metadata: {
    natsServerMonitoringEndpoint: places.nats.monitoring,
    account: places.nats.account,
    stream,
    consumer: config.durable_name,
    lagThreshold: String(8 * concurrency),
  },
})

type Durable = { handler: string; def: HandlerDef; consumer: PlannedConsumer }

/** Without those on lanes: what waits there waits for a partner, which more copies do not bring back. */
function durablesOf(service: ServiceDef): Durable[] {
  const lanes = `LANES_${service.name.toUpperCase()}`
  return plannedTopology([service]).consumers.flatMap((consumer) => {
    const handler = consumer.config.metadata?.['malha.handler'] ?? ''
    const def = service.handlers[handler]
    return def && consumer.stream !== lanes ? [{ handler, def, consumer }] : []
  })
}
