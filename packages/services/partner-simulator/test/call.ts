import type { Partner } from '../src/index.ts'

/** What senninha takes for a centre. */
export function providerOf(centerId: string): object {
  return { centerId, name: 'CD Norte', city: { name: 'Belém', state: 'Pará', country: 'Brazil' }, capacity: 40 }
}

/** Asks senninha for a provider. Without a key the header is left out. */
export function ask(partner: Partner | string, body: unknown, key?: string): Promise<Response> {
  return fetch(`${typeof partner === 'string' ? partner : partner.url}/providers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: JSON.stringify(body),
  })
}

/** The status of an answer and its JSON. */
export async function answerOf(asked: Promise<Response>): Promise<{ status: number; body: unknown }> {
  const response = await asked
  return { status: response.status, body: await response.json() }
}

/** The code of the socket error that ended a request, or the status it was answered with. */
export async function failureOf(asked: Promise<Response>): Promise<string> {
  try {
    const { status, body } = await asked
    await body?.cancel()
    return `answered ${status}`
  } catch (error) {
    return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? String(error)
  }
}
