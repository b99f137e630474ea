import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@malha/testing'
import type { ReferenceMesh } from './reference-mesh.ts'

/** What `GET /centers` says of a centre, as far as these tests look. */
export type CenterView = { id: string; status: string; partners: Record<string, { state: string }> }

const PARALLEL = 20
const AGAIN_MS = 100

/** Registers one centre under a key, for as long as it takes. @returns its id */
export async function registerCenter(mesh: ReferenceMesh, key: string): Promise<string> {
  const body = JSON.stringify({ name: `Centre ${key}`, city: { name: 'Recife', state: 'Pernambuco', country: 'BR' } })
  for (;;) {
    const answer = await fetch(`${mesh.api}/centers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body,
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined)
    const text = await answer?.text().catch(() => undefined)
    if (answer?.status === 202 && text !== undefined) return (JSON.parse(text) as { id: string }).id
    if (answer && answer.status !== 202 && answer.status !== 503)
      throw new Error(`POST /centers answered ${answer.status}: ${text}`)
    await sleep(AGAIN_MS)
  }
}

/** Registers `count` centres, some at once. @returns their ids */
export async function registerCenters(mesh: ReferenceMesh, prefix: string, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, n) => `${prefix}-${n}`)
  const ids: string[] = []
  const worker = async (): Promise<void> => {
    for (let key = keys.shift(); key !== undefined; key = keys.shift()) ids.push(await registerCenter(mesh, key))
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return ids
}

/** Every centre the API knows. */
export async function allCenters(mesh: ReferenceMesh): Promise<CenterView[]> {
  const centers: CenterView[] = []
  for (let after: string | null = ''; after !== null;) {
    const answer = await fetch(`${mesh.api}/centers?limit=200${after && `&after=${after}`}`)
    if (!answer.ok) throw new Error(`GET /centers answered ${answer.status}`)
    const page = (await answer.json()) as { centers: CenterView[]; next: string | null }
    centers.push(...page.centers)
    after = page.next
  }
  return centers
}

/** Resolves when these and no others are there, and each is onboarded. */
export async function untilOnboarded(mesh: ReferenceMesh, ids: readonly string[], timeoutMs: number): Promise<void> {
  const wanted = new Set(ids)
  await eventually(
    async () => {
      const centers = await allCenters(mesh)
      const open = centers.filter(({ status }) => status !== 'onboarded')
      if (centers.length !== wanted.size || centers.some(({ id }) => !wanted.has(id)))
        throw new Error(`${centers.length} centres of ${wanted.size}`)
      if (open.length > 0) throw new Error(`${open.length} not onboarded, e.g. ${JSON.stringify(open[0])}`)
    },
    { timeoutMs, intervalMs: 500 },
  )
}
