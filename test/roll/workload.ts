import { setTimeout as sleep } from 'node:timers/promises'
import type { EndSignal, Ended, Pod } from './pod.ts'
import type { Strategy } from './strategy.ts'

/** The releases that a roll is between. */
export type ReleaseName = 'old' | 'new'

export type WorkloadOptions = {
  name: string
  strategy: Strategy
  replicas: number
  /** Starts one pod; `slot` is its place among the replicas, which one that is replaced in place keeps. */
  start: (pod: { name: string; slot: number; release: ReleaseName }) => Pod
  /** It takes requests from now on. */
  onReady?: (pod: string, slot: number) => void
  /** It is decided that it goes. */
  onLeave?: (pod: string) => void
}

/** The pods of one workload. */
export interface Workload extends AsyncDisposable {
  readonly name: string
  /** Starts all, of the old release. */
  begin(): Promise<void>
  /** Replaces every pod by one of the new release, one by one. */
  roll(options: { signal: EndSignal }): Promise<Ended[]>
}

export function workload({ name, strategy, replicas, start, onReady, onLeave }: WorkloadOptions): Workload {
  const pods: Pod[] = []
  let count = 0

  async function add(slot: number, release: ReleaseName): Promise<void> {
    const pod = start({ name: `${name}-${count++}`, slot, release })
    pods.push(pod)
    await pod.ready()
    onReady?.(pod.name, slot)
  }

  async function take(pod: Pod, signal: EndSignal): Promise<Ended> {
    onLeave?.(pod.name)
    const ended = await pod.terminate(strategy, signal)
    pods.splice(pods.indexOf(pod), 1)
    return ended
  }

  return {
    name,
    async begin() {
      await Promise.all(Array.from({ length: replicas }, (_, slot) => add(slot, 'old')))
    },
    async roll({ signal }) {
      const ended: Ended[] = []
      // A StatefulSet begins with the last one.
      const leaving = strategy.order === 'surge' ? [...pods] : pods.toReversed()
      for (const [index, pod] of leaving.entries()) {
        const slot = strategy.order === 'surge' ? replicas + index : replicas - 1 - index
        if (strategy.order === 'in-place') ended.push(await take(pod, signal))
        await add(slot, 'new')
        await sleep(strategy.minReadyMs)
        if (strategy.order === 'surge') ended.push(await take(pod, signal))
      }
      return ended
    },
    async [Symbol.asyncDispose]() {
      for (const { name: pod } of pods) onLeave?.(pod)
      await Promise.all(pods.map((pod) => pod.stop()))
    },
  }
}
