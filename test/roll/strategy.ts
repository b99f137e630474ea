import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/** How Kubernetes replaces the pods of a workload, as its manifests say. Times as they stand there, ms. */
export type Strategy = {
  /**
   * `surge`: a new pod is there before an old one goes (Deployment). `in-place`: an old one goes, then its successor comes
   * (StatefulSet).
   */
  order: 'surge' | 'in-place'
  /** For how long a new pod has to be ready before the next one is touched. */
  minReadyMs: number
  /** Between the decision that a pod goes and its SIGTERM. */
  preStopMs: number
  /** From that decision on; then comes SIGKILL. */
  graceMs: number
}

type Manifest = {
  kind: string
  spec: {
    minReadySeconds?: number
    strategy?: { rollingUpdate?: { maxSurge?: number; maxUnavailable?: number } }
    template: {
      spec: {
        terminationGracePeriodSeconds?: number
        containers: { name: string; lifecycle?: { preStop?: { sleep?: { seconds: number } } } }[]
      }
    }
  }
}

const BASE = fileURLToPath(new URL('../../deploy/base', import.meta.url))
const read = (file: string): Manifest => parse(readFileSync(join(BASE, file), 'utf8')) as Manifest

/** @param workload as its folder in `deploy/base` is called */
export function strategyOf(workload: string): Strategy {
  const [file] = globSync(join(workload, '{deployment,stateful-set}.yaml'), { cwd: BASE })
  if (file === undefined) throw new Error(`deploy/base/${workload} has no Deployment and no StatefulSet`)
  const { kind, spec } = read(file)
  const everyPod = read('pods.yaml').spec.template.spec
  const { maxSurge, maxUnavailable } = spec.strategy?.rollingUpdate ?? {}
  const isSurge = kind === 'Deployment' && maxSurge === 1 && maxUnavailable === 0
  if (!isSurge && kind !== 'StatefulSet') throw new Error(`${file} is rolled in a way that this test does not know`)
  const main = spec.template.spec.containers.find(({ name }) => name === 'main')
  return {
    order: isSurge ? 'surge' : 'in-place',
    minReadyMs: seconds(spec.minReadySeconds),
    preStopMs: seconds(main?.lifecycle?.preStop?.sleep?.seconds),
    graceMs: seconds(spec.template.spec.terminationGracePeriodSeconds ?? everyPod.terminationGracePeriodSeconds ?? 30),
  }
}

const seconds = (count = 0): number => count * 1000
