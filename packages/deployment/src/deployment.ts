import type { AnyContract, AnyRequest, ServiceDef, StreamDef } from '@malha/mesh'
import type { Bucket } from './buckets.ts'
import { DeploymentError } from './errors.ts'
import { deploymentFaults } from './faults.ts'
import { usefulCopies } from './kubernetes/scaled-objects.ts'

/** What a workload calls, beside NATS and the telemetry collector. */
export type Callee = 'clickhouse' | 'partners' | 'issuer' | 'webhooks'

/** A part of the mesh itself: what it may do does not follow from a service definition. */
export type Tool = 'archive' | 'console' | 'notifier' | 'provision'

/** What a workload does that nothing else says. All but the last is of services. */
export type Uses = {
  /** It publishes while the broker is away. @default false */
  spool?: boolean
  /** Requests that it sends. @default none */
  asks?: readonly AnyRequest[]
  /** What it publishes for later. @default none */
  delays?: readonly AnyContract[]
  /** Streams that it reads back, as aggregates and projections do. @default none */
  reads?: readonly StreamDef[]
  /** Of a console: people send events of every service by hand. @default false */
  sendsEvents?: boolean
}

/** One kind of process of the mesh. */
export type Workload = {
  /** Of the Deployment, the NATS user, the image target and the ServiceAccount: a DNS label. */
  name: string
  /** What it handles, publishes and replies; without it, it is a tool. */
  service?: ServiceDef
  /** What its definition does not say. @default nothing */
  uses?: Uses
  /** Which part of the mesh itself it is; without it, it is a service. */
  tool?: Tool
  /** `StatefulSet` for what keeps something on a volume of its own (a spool); `Job` for what ends. */
  kind: 'Deployment' | 'StatefulSet' | 'Job'
  /** `health` answers /livez, /readyz and /metrics; `http` is what it serves to others. */
  ports: { health?: number; http?: number }
  /** @default nothing */
  calls?: readonly Callee[]
  /** Key-value buckets that it opens by itself; those of the mesh follow from `service` and `tool`. @default none */
  buckets?: readonly Bucket[]
  /** Most copies that may be started when messages wait; one at least always runs. @default not scaled */
  scale?: { most: number }
}

/** A mesh that is to run somewhere, as declared data. */
export type Deployment = {
  /** Of the whole, as it is known to others: `malha`. */
  readonly name: string
  /** The Kubernetes namespace of its workloads. */
  readonly namespace: string
  readonly workloads: readonly Workload[]
}

/**
 * Declares a deployment. Nothing is written before `generate`.
 * @throws DeploymentError DEPLOYMENT_INVALID with every fault
 */
export function defineDeployment(given: Deployment): Deployment {
  const shape = deploymentFaults(given)
  // Copies are counted once it is known that there are handlers to count by.
  const faults = shape.length > 0 ? shape : given.workloads.flatMap(idleFaults)
  if (faults.length > 0)
    throw new DeploymentError(
      'DEPLOYMENT_INVALID',
      `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}${faults.map((fault) => `\n  - ${fault}`).join('')}`,
    )
  const { name, namespace, workloads } = given
  return Object.freeze({ name, namespace, workloads: workloads.map((one) => Object.freeze({ ...one })) })
}

/** What its services publish for later. */
export const delaysOf = ({ workloads }: Deployment): AnyContract[] =>
  workloads.flatMap(({ uses }) => uses?.delays ?? [])

function idleFaults({ name, service, scale }: Workload): string[] {
  if (!service || !scale) return []
  const { copies, because } = usefulCopies(service)
  if (scale.most <= copies) return []
  return [
    `workload "${name}": scale.most is ${scale.most}, and beyond ${copies} a copy idles (${because}); set it to ${copies} at most`,
  ]
}
