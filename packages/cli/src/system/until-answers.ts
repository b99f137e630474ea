import { setTimeout as sleep } from 'node:timers/promises'
import { CliError } from '../cli-error.ts'

/**
 * Waits until a GET answers 200. Gives up quietly once the signal aborts.
 * @throws CliError CLI_NOT_READY after `timeoutMs`
 */
export async function untilAnswers(
  url: string,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!signal.aborted) {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    if (Date.now() > deadline) throw new CliError('CLI_NOT_READY', `no answer from ${url}; see the logs`)
    await sleep(50)
  }
}
