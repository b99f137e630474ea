/**
 * Clients of the API, which no nemesis touches: register centres at a steady rate (`RATE`), each for as long as it takes to
 * be answered. SIGTERM ends it once all are answered.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { recorderOf } from '../history/recorder.ts'
import { centerOf } from './center-of.ts'
import { paced } from './paced.ts'

const AGAIN_MS = 250
const ANSWER_MS = 10_000
const MOST_OPEN = 200

const recorder = recorderOf(process.env)
const api = process.env['API_URL']
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())

const open = new Set<Promise<void>>()
let count = 0
await paced(
  () => {
    const one = register(`${process.env['CHAOS_PROCESS']}-${count++}`)
    open.add(one)
    void one.finally(() => open.delete(one))
  },
  { rate: Number(process.env['RATE']), mayBegin: () => open.size < MOST_OPEN, signal: stopping.signal },
)
await Promise.all(open)
recorder.record({ op: 'answered' })

async function register(key: string): Promise<void> {
  const about = { op: 'publish', id: `${centerOf(key)}.registered`, type: 'center.registered' } as const
  recorder.record({ ...about, phase: 'invoke' })
  const body = JSON.stringify({ name: `Centre ${key}`, city: { name: 'Recife', state: 'Pernambuco', country: 'BR' } })
  for (;;) {
    const status = await post(key, body)
    if (status === 202) return recorder.record({ ...about, phase: 'ok' })
    if (status !== undefined && status < 500) throw new Error(`POST /centers answered ${status}`)
    await sleep(AGAIN_MS)
  }
}

async function post(key: string, body: string): Promise<number | undefined> {
  try {
    const answer = await fetch(`${api}/centers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body,
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    return undefined
  }
}
