import type { RecordableHistogram } from 'node:perf_hooks'

/** One in so many is timed: a clock read each would be part of what is measured. */
const TIMED_EVERY = 16

/**
 * Keeps `window` calls in flight until `count` have ended, as a loop that publishes in bulk does.
 * @param latency hears how long every 16th took, ns
 * @throws the first error of a call, once none is in flight
 */
export async function windowed(
  count: number,
  window: number,
  call: (n: number) => Promise<unknown>,
  latency?: RecordableHistogram,
): Promise<void> {
  const state = { inFlight: 0, failed: false, error: undefined as unknown, wake: (): void => undefined }
  const onDone = (): void => {
    state.inFlight--
    state.wake()
  }
  const onFailed = (error: unknown): void => {
    state.error ??= error
    state.failed = true
    onDone()
  }
  const room = (): Promise<void> => new Promise((resolve) => (state.wake = resolve))
  for (let n = 0; n < count && !state.failed; n++) {
    if (state.inFlight >= window) await room()
    state.inFlight++
    if (latency === undefined || n % TIMED_EVERY !== 0) call(n).then(onDone, onFailed)
    else timed(() => call(n), latency).then(onDone, onFailed)
  }
  while (state.inFlight > 0) await room()
  if (state.failed) throw state.error
}

async function timed(call: () => Promise<unknown>, latency: RecordableHistogram): Promise<void> {
  const startedAt = process.hrtime.bigint()
  await call()
  latency.record(process.hrtime.bigint() - startedAt)
}
