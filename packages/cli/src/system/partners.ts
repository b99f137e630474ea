import { CliError } from '../cli-error.ts'

/** The partner systems of the reference mesh, in the order they are shown. */
export const partnerNames = ['senninha', 'maas', 'dmitri'] as const
export type PartnerName = (typeof partnerNames)[number]

/** What a simulator is told to do wrong. `rate` is the share of calls that `flaky` fails. */
export type Fault = {
  mode: 'up' | 'down' | 'slow' | 'error' | 'flaky' | 'lost-reply' | 'forgetful'
  rate?: number
  retryAfterS?: number
}

/** What a simulator did for one centre: `keys` are the idempotency keys it was called with, each once. */
export type CenterReceived = { effects: number; attempts: number; keys: string[] }

/** What a simulator did so far, counted by the centre in the body, whatever the key. */
export type Received = { created: number; attempts: number; byCenter: Record<string, CenterReceived> }

/** Sets the fault of a simulator through its control port. */
export async function setFault(controlUrl: string, fault: Fault): Promise<void> {
  const response = await fetch(new URL('/_fault', controlUrl), {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fault),
    signal: AbortSignal.timeout(10_000),
  })
  await response.text()
  if (!response.ok) throw unexpected(controlUrl, `PUT /_fault answered ${response.status}`)
}

/** Reads what a simulator did so far. */
export async function readReceived(controlUrl: string): Promise<Received> {
  const response = await fetch(new URL('/_received', controlUrl), { signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw unexpected(controlUrl, `GET /_received answered ${response.status}`)
  return (await response.json()) as Received
}

function unexpected(controlUrl: string, what: string): CliError {
  return new CliError('CLI_UNEXPECTED_ANSWER', `partner simulator at ${controlUrl}: ${what}; see its log`)
}
