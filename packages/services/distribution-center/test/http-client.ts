import type { Center } from '@malha/contracts'
import type { CenterView, ProblemBody } from '../src/http/schemas.ts'

export const recife: Center = {
  name: 'Recife',
  city: { name: 'Recife', state: 'Pernambuco', country: 'BR', geonameId: 3_390_760 },
  capacity: 1200,
}

export type Answer<Body> = {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
  readonly text: string
}

export type Accepted = {
  id: string
  status: string
  traceId: string | null
  links: { self: string }
  queued?: true
}
export type CenterPage = { centers: CenterView[]; next: string | null }

export async function ask<Body>(url: string, init?: RequestInit): Promise<Answer<Body>> {
  const response = await fetch(url, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as Body }
}

export function register(api: string, center: unknown, key?: string): Promise<Answer<Accepted>> {
  const headers = { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) }
  return ask(`${api}/centers`, { method: 'POST', headers, body: JSON.stringify(center) })
}

export const find = (api: string, id: string): Promise<Answer<CenterView>> => ask(`${api}/centers/${id}`)

export const kindOf = ({ body }: Answer<unknown>): string =>
  (body as ProblemBody).type.replace('urn:malha:problem:', '')
