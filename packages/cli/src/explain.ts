import { inspect } from 'node:util'
import { deniedSubject } from '@malha/mesh'
import { ClosedConnectionError, NoRespondersError, RequestError, TimeoutError } from '@nats-io/transport-node'

const AWAY = [TimeoutError, NoRespondersError, RequestError, ClosedConnectionError]

/** An error with a code was foreseen and its message says what to do; any other is a fault of ours and keeps its stack. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error) return error.message
  const denied = deniedSubject(error)
  if (denied !== undefined)
    return `this user may not use ${denied}; connect as one who may (viewer looks, operator acts, admin does all), or grant it`
  if ([error, error.cause].some((one) => AWAY.some((kind) => one instanceof kind)))
    return `NATS did not answer (${error.message}): is it up, and has its cluster a leader? Look what is done by now, and ask again`
  // With its causes: "fetch failed" alone says nothing.
  return inspect(error)
}
