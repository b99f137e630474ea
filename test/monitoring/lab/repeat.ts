import { setTimeout as sleep } from 'node:timers/promises'

/** Does something again and again until it is stopped. What fails is part of the fault, and tried again. */
function repeat(everyMs: number, work: () => Promise<unknown>): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await work().catch(() => undefined)
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const ended = loop()
  return {
    async stop() {
      stopping.abort()
      await ended
    },
  }
}

/** The same, when it is told to begin. */
export function repeater(everyMs: number, work: () => Promise<unknown>): { start(): void; stop(): Promise<void> } {
  let running: { stop(): Promise<void> } | undefined
  return {
    start: () => void (running ??= repeat(everyMs, work)),
    stop: async () => await running?.stop(),
  }
}
