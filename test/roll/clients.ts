import type { Pool } from 'undici'
import type { Recorder } from '../chaos/history/recorder.ts'
import { centerOf } from '../chaos/workload/center-of.ts'
import { paced } from '../chaos/workload/paced.ts'
import type { Endpoints } from './endpoints.ts'

/** What clients of the API met. */
export type Met = {
  /** Centres whose registration was accepted, by id: when its answer was there, Unix ms. */
  readonly accepted: ReadonlyMap<string, number>
  /** How long each answer took, ms. */
  readonly answerMs: readonly number[]
  /** Requests that had no answer, or one of 500 and more. Nobody sends one again. */
  readonly failures: readonly string[]
  /** Accepted on the disk of an instance, because the broker did not answer in time. */
  readonly queued: number
}

export interface Clients {
  readonly met: Met
  /** Ends when every request has its answer. */
  stop(): Promise<void>
}

const MOST_OPEN = 200

/**
 * Clients that register centres at a steady rate through a load balancer, and read each one once right after. A request is
 * sent once: no try is made again, here or at the load balancer.
 */
export function startClients(through: Endpoints, options: { rate: number; recorder: Recorder }): Clients {
  const { rate, recorder } = options
  const accepted = new Map<string, number>()
  const answerMs: number[] = []
  const failures: string[] = []
  const met = { accepted, answerMs, failures, queued: 0 }
  const stopping = new AbortController()
  const open = new Set<Promise<void>>()
  let count = 0

  async function ask(what: string, request: Parameters<Pool['request']>[0]): Promise<unknown> {
    const pod = through.next()
    const began = performance.now()
    try {
      if (!pod) throw new Error('no pod is ready')
      const { statusCode, body } = await pod.request(request)
      const text = await body.text()
      if (statusCode >= 300) throw new Error(`answered ${statusCode}: ${text}`)
      answerMs.push(performance.now() - began)
      return JSON.parse(text)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      failures.push(`${new Date().toISOString()} ${what}: ${why}`)
      return undefined
    }
  }

  async function register(key: string): Promise<void> {
    const id = centerOf(key)
    const about = { op: 'publish', id: `${id}.registered`, type: 'center.registered' } as const
    recorder.record({ ...about, phase: 'invoke' })
    const answer = (await ask('POST /centers', {
      method: 'POST',
      path: '/centers',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ name: `Centre ${key}`, city: { name: 'Recife', state: 'Pernambuco', country: 'BR' } }),
    })) as { id: string; queued?: boolean } | undefined
    recorder.record({ ...about, phase: answer ? 'ok' : 'unknown' })
    if (!answer) return
    accepted.set(answer.id, performance.timeOrigin + performance.now())
    // It says itself that it cannot be read yet.
    if (answer.queued) {
      met.queued += 1
      return
    }
    await ask('GET /centers/{id}', { method: 'GET', path: `/centers/${answer.id}` })
  }

  const load = paced(
    () => {
      const one = register(`roll-${count++}`)
      open.add(one)
      void one.finally(() => open.delete(one))
    },
    { rate, mayBegin: () => open.size < MOST_OPEN, signal: stopping.signal },
  )
  return {
    met,
    async stop() {
      stopping.abort()
      await load
      await Promise.all(open)
      recorder.record({ op: 'answered' })
    },
  }
}
