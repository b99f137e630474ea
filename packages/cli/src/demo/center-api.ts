import { setTimeout as sleep } from 'node:timers/promises'
import { CliError } from '../cli-error.ts'
import type { PartnerName } from '../system/partners.ts'
import type { City } from './cities.ts'

/** What `GET /centers` says of a centre, as far as the demo looks at it. */
export type CenterView = {
  id: string
  status: 'registered' | 'onboarding' | 'onboarded' | 'failed'
  traceId: string | null
  name: string
  city: { name: string; state: string }
  partners: Record<PartnerName, { state: string; attempts: number; lastFailure?: { code: string; message: string } }>
}

type Page = { centers: CenterView[]; next: string | null }

const PAGE = 200
/** Where no answer came, or a 503 names no time. */
const RETRY_AFTER_S = 1

/**
 * Registers one centre in a city. The key is the city's, so that asking again is harmless: after a 503, and where no answer
 * came, it asks again as long as `signal` allows.
 * @returns the centre's id
 */
export async function registerCenter(api: string, city: City, signal: AbortSignal): Promise<string> {
  for (;;) {
    const { status, body, retryAfterS } = await post(api, city, signal)
    if (status === 202) return (JSON.parse(body) as { id: string }).id
    if (status !== 503) throw refused(city, status, body)
    await sleep(retryAfterS * 1000, undefined, { signal })
  }
}

async function post(
  api: string,
  city: City,
  signal: AbortSignal,
): Promise<{ status: number; body: string; retryAfterS: number }> {
  try {
    const response = await fetch(new URL('/centers', api), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `demo-${city.geonameId}` },
      body: JSON.stringify(centerIn(city)),
      signal,
    })
    const asked = Number(response.headers.get('retry-after') ?? RETRY_AFTER_S)
    const retryAfterS = Number.isFinite(asked) ? asked : RETRY_AFTER_S
    return { status: response.status, body: await response.text(), retryAfterS }
  } catch {
    signal.throwIfAborted()
    return { status: 503, body: '', retryAfterS: RETRY_AFTER_S }
  }
}

/** Every centre the API knows, page by page. */
export async function listCenters(api: string): Promise<CenterView[]> {
  const centers: CenterView[] = []
  let after: string | null = null
  do {
    const query: string = after === null ? '' : `&after=${encodeURIComponent(after)}`
    const response = await fetch(new URL(`/centers?limit=${PAGE}${query}`, api), {
      signal: AbortSignal.timeout(10_000),
    })
    if (!response.ok) throw new CliError('CLI_UNEXPECTED_ANSWER', `GET ${api}/centers answered ${response.status}`)
    const page = (await response.json()) as Page
    centers.push(...page.centers)
    after = page.next
  } while (after !== null)
  return centers
}

function centerIn({ name, state, country, geonameId, population }: City): object {
  return {
    name: `Distribution centre ${name}`,
    city: { name, state, country, geonameId },
    // A pallet for every 500 inhabitants.
    capacity: Math.ceil(population / 500),
  }
}

function refused(city: City, status: number, body: string): CliError {
  const detail = `POST /centers answered ${status} for ${city.name}: ${body.slice(0, 500)}`
  return new CliError('CLI_UNEXPECTED_ANSWER', detail)
}
