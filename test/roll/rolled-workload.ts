import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from '@malha/stack'
import type { Release } from '../chaos/system/previous-release.ts'
import { at } from '../chaos/system/site.ts'
import { inheritedEnv, mainOf, type ServiceName } from '../reference/processes.ts'
import type { Endpoints } from './endpoints.ts'
import { startPod } from './pod.ts'
import { readinessProbe, type Unready } from './readiness.ts'
import { served } from './served.ts'
import { type Strategy, strategyOf } from './strategy.ts'
import { type ReleaseName, type Workload, workload } from './workload.ts'

/** Processes of the service `load`, whose user they are. */
export const WORKER = 'load-worker'

/** What the pods of all workloads have in common. */
export type RolledWorkloads = {
  releases: Record<ReleaseName, Release>
  /** By what the times of the manifests are multiplied. */
  scale: number
  /** Environment of a workload's pod, beside its ports. */
  envOf: (workload: string, pod: { name: string; slot: number }) => Readonly<Record<string, string>>
  /** Further modules that the pods of a workload load first, and what these find in their environment. */
  spoil: { workload: string; modules: readonly string[]; env?: Readonly<Record<string, string>> } | undefined
  stagesFolder: string
  onLine: (pod: string) => (line: string) => void
  /** By which requests reach `distribution-center`. */
  front: Endpoints
  onUnready: (unready: Unready) => void
}

const REPLICAS = 2
const RECORDER = fileURLToPath(new URL('recorder.ts', import.meta.url))

/** Two pods of a service of the reference mesh, or of the load's. */
export async function rolledWorkload(name: ServiceName | typeof WORKER, all: RolledWorkloads): Promise<Workload> {
  const { releases, scale, stagesFolder, spoil, onLine } = all
  // As many as it has pods, over the whole roll: one in place of another keeps the other's.
  const ports = await freePorts(4 * REPLICAS)
  const portsOf = (slot: number): [health: number, http: number] => [ports[2 * slot]!, ports[2 * slot + 1]!]
  const spoilt = spoil?.workload === name ? spoil : undefined
  const mainIn = ({ root }: Release): string =>
    name === WORKER ? join(root, 'test/chaos/workload/worker.ts') : mainOf(name, root)
  return workload({
    name,
    strategy: scaled(strategyOf(name === WORKER ? 'provider' : name), scale),
    replicas: REPLICAS,
    start({ name: pod, slot, release }) {
      const [health, http] = portsOf(slot)
      return startPod({
        name: pod,
        main: mainIn(releases[release]),
        env: {
          ...inheritedEnv(),
          ...all.envOf(name, { name: pod, slot }),
          HEALTH_PORT: String(health),
          HTTP_PORT: String(http),
          ROLL_STAGES: join(stagesFolder, `${pod}.jsonl`),
          ROLL_PROCESS: pod,
          NODE_OPTIONS: [RECORDER, ...(spoilt?.modules ?? [])].map((module) => `--import=${module}`).join(' '),
          ...spoilt?.env,
        },
        readyUrl: `${at(health)}/readyz`,
        onLine: onLine(pod),
      })
    },
    ...(name === 'distribution-center' &&
      served(all.front, {
        urlsOf: (slot) => portsOf(slot).map(at) as [string, string],
        probe: scaledProbe(scale),
        onUnready: (pod, why) => all.onUnready({ pod, why }),
      })),
  })
}

/** Grace periods are as they are: whoever needs them all was not done in time. */
function scaled({ order, graceMs, ...times }: Strategy, scale: number): Strategy {
  return { order, graceMs, minReadyMs: times.minReadyMs * scale, preStopMs: times.preStopMs * scale }
}

/** Quicker, and no less patient with each answer. */
function scaledProbe(scale: number): ReturnType<typeof readinessProbe> {
  const asked = readinessProbe()
  return { ...asked, periodMs: asked.periodMs * scale }
}
