import { setTimeout as sleep } from 'node:timers/promises'
import { answers, type Child, type ChildExit, spawnChild } from '@malha/stack'
import { nodeFlags } from '../reference/processes.ts'
import type { Strategy } from './strategy.ts'

/** How a process is asked to end. A broken one is killed at once (`SIGKILL`). */
export type EndSignal = 'SIGTERM' | 'SIGKILL'

export type PodOptions = {
  name: string
  main: string
  env: Record<string, string>
  readyUrl: string
  onLine: (line: string) => void
}

/** One process of a workload, started and ended as the kubelet does. */
export interface Pod {
  readonly name: string
  /** Resolves when its readiness probe says yes for the first time. */
  ready(): Promise<void>
  /** preStop, then the signal, then SIGKILL when the grace period is over. */
  terminate(strategy: Strategy, signal: EndSignal): Promise<Ended>
  signal(name: NodeJS.Signals): void
  /** At the end of a test. */
  stop(): Promise<void>
}

export type Ended = {
  pod: string
  exit: ChildExit
  /** From the signal to its end. */
  drainMs: number
  isCutOff: boolean
}

const READY_MS = 90_000
const PROBE_MS = 100
/** The kubelet starts again what ends before it was ready; there is something wrong with what does so ever again. */
const MOST_RESTARTS = 3

export function startPod({ name, main, env, readyUrl, onLine }: PodOptions): Pod {
  const spawn = (): Child => spawnChild({ command: process.execPath, args: [...nodeFlags, main], env, onLine })
  let child = spawn()
  return {
    name,
    async ready() {
      const deadline = performance.now() + READY_MS
      let restartsLeft = MOST_RESTARTS
      while (!(await answers(readyUrl))) {
        if ((child.exit && restartsLeft === 0) || performance.now() > deadline)
          throw new Error(`${name} ${child.exit ? 'ended' : 'was not ready in time'}:\n${child.tail.join('\n')}`)
        if (child.exit) {
          restartsLeft -= 1
          child = spawn()
        }
        await sleep(PROBE_MS)
      }
    },
    async terminate({ preStopMs, graceMs }, signal) {
      await sleep(preStopMs)
      const began = performance.now()
      child.kill(signal)
      let isCutOff = false
      const kill = setTimeout(() => {
        isCutOff = true
        child.kill('SIGKILL')
      }, graceMs - preStopMs)
      const exit = await child.exited
      clearTimeout(kill)
      return { pod: name, exit, drainMs: Math.round(performance.now() - began), isCutOff }
    },
    signal: (which) => child.kill(which),
    stop: async () => void (await child.stop({ graceMs: 8000 })),
  }
}
