import type { Logger } from '../observe/logger.ts'
import type { RunningService } from './start-service.ts'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Waits for SIGTERM, SIGINT or `signal`, then stops the service. When the service itself gives up, the process ends with
 * 1: a handler that never returns cannot be stopped from inside.
 */
export async function untilStopped(
  service: RunningService,
  { signal, log }: { signal: AbortSignal | undefined; log: Logger },
): Promise<void> {
  const asked = Promise.withResolvers<string>()
  const onSignal = (name: string): void => asked.resolve(name)
  const onAbort = (): void => asked.resolve('its signal')
  for (const name of SIGNALS) process.on(name, onSignal)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  try {
    const by = await Promise.race([asked.promise, service.stopped.then(() => 'stop()')])
    log.info({ service: service.report.service, by }, `${service.report.service} stops`)
  } catch (error) {
    log.error({ err: error }, 'the service cannot go on')
    await Promise.race([service.stop(), new Promise((resolve) => setTimeout(resolve, 5000))])
    process.exit(1)
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal)
    signal?.removeEventListener('abort', onAbort)
  }
  await service.stop()
}
