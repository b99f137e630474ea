import type { NatsConnection } from '@nats-io/transport-node'
import { MeshError } from '../../errors.ts'
import type { Outgoing } from '../publisher.ts'
import { PublishRefused } from '../pub-ack.ts'
import type { Death } from './entry.ts'
import { placelessness } from './place.ts'

/** What an attempt to send an entry came to. */
export type Fate = { kind: 'stored'; seq: number } | { kind: 'dead'; death: Death } | { kind: 'again'; error: unknown }

/**
 * Whether a refusal holds for good. Whatever may pass by itself (no leader, a full stream, a permission that someone
 * grants) keeps the entry where it is: an entry given up needs a person.
 */
export async function fateOf(error: unknown, nc: NatsConnection, out: Outgoing): Promise<Fate> {
  if (!(error instanceof MeshError)) return { kind: 'again', error }
  if (error.code === 'MESH_NO_STREAM') {
    const why = await placelessness(nc, out)
    return why === 'no-subject' ? dead(error) : { kind: 'again', error }
  }
  return error.disposition === 'terminal' || isFinal(error) ? dead(error) : { kind: 'again', error }
}

/** The request itself is wrong, or the subject has all the messages it may have. */
function isFinal(error: MeshError): boolean {
  if (!(error instanceof PublishRefused) || error.code !== 'MESH_PUBLISH_REFUSED') return false
  const { status } = error
  return (status >= 400 && status < 500 && status !== 408 && status !== 429) || error.message.includes('per subject')
}

function dead(error: MeshError): Fate {
  return { kind: 'dead', death: { code: error.code, reason: error.message, at: new Date().toISOString() } }
}
