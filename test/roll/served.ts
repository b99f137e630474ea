import type { Endpoints } from './endpoints.ts'
import { type Probe, watchReadiness } from './readiness.ts'
import type { WorkloadOptions } from './workload.ts'

type Served = {
  /** Where it says whether it is ready, and where it takes requests. */
  urlsOf: (slot: number) => [health: string, http: string]
  probe: Probe
  onUnready: (pod: string, why: string) => void
}

/** A workload that has a Service: requests go to pods that are ready and not leaving. */
export function served(
  front: Endpoints,
  { urlsOf, probe, onUnready }: Served,
): Pick<WorkloadOptions, 'onReady' | 'onLeave'> {
  const watches = new Map<string, Disposable>()
  return {
    onReady(pod, slot) {
      const [health, http] = urlsOf(slot)
      front.add(pod, http)
      const watch = watchReadiness(`${health}/readyz`, probe, (why) => {
        if (why === undefined) return front.add(pod, http)
        onUnready(pod, why)
        front.remove(pod)
      })
      watches.set(pod, watch)
    },
    onLeave(pod) {
      watches.get(pod)?.[Symbol.dispose]()
      front.remove(pod)
    },
  }
}
