import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/** A pod that takes requests was not ready any more, though nobody had asked it to end. */
export type Unready = { pod: string; why: string }

/** How the kubelet asks whether a pod is ready, as the manifests say. Times as they stand there, ms. */
export type Probe = { periodMs: number; timeoutMs: number; failures: number }

type Asked = { periodSeconds: number; timeoutSeconds: number; failureThreshold: number }
type Manifest = { spec: { template: { spec: { containers: { readinessProbe: Asked }[] } } } }

const PROBES = fileURLToPath(new URL('../../deploy/base/probes.yaml', import.meta.url))

export function readinessProbe(): Probe {
  const { spec } = parse(readFileSync(PROBES, 'utf8')) as Manifest
  const { periodSeconds, timeoutSeconds, failureThreshold } = spec.template.spec.containers[0]!.readinessProbe
  return { periodMs: periodSeconds * 1000, timeoutMs: timeoutSeconds * 1000, failures: failureThreshold }
}

/**
 * Asks until it is disposed of. A pod is ready when this begins.
 * @param tell hears each change: why it is not ready any more, and undefined when it is again
 */
export function watchReadiness(
  url: string,
  { periodMs, timeoutMs, failures }: Probe,
  tell: (why: string | undefined) => void,
): Disposable {
  const stopping = new AbortController()
  const { signal } = stopping
  const watch = async (): Promise<void> => {
    for (let failed = 0; ;) {
      await sleep(periodMs, undefined, { signal })
      const why = await whyNot(url, timeoutMs)
      if (signal.aborted) return
      if (why === undefined && failed >= failures) tell(undefined)
      failed = why === undefined ? 0 : failed + 1
      if (failed === failures) tell(why)
    }
  }
  // It rejects when it is stopped.
  watch().catch(() => undefined)
  return { [Symbol.dispose]: () => stopping.abort() }
}

async function whyNot(url: string, timeoutMs: number): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
    const said = await answer.text()
    return answer.ok ? undefined : said
  } catch {
    return 'no answer'
  }
}
