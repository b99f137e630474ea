import { centerRegistered, type CenterRegistered } from '@malha/contracts'
import { decodePayload, getStored, HEADER, readEnvelope, subjectOf, type Mesh } from '@malha/mesh'
import { registeredChange, type RegisteredChange } from '../status/changes.ts'
import { eventTime } from './event-time.ts'

/** A registration as it stands in the stream, which is the store of idempotency: asked, not copied. */
export type StoredRegistration = { readonly data: CenterRegistered; readonly change: RegisteredChange }

/** Asks the stream's leader, so that what was answered a moment ago is found. */
export async function findRegistration(mesh: Mesh, centerId: string): Promise<StoredRegistration | undefined> {
  const subject = mesh.names.subject(subjectOf(centerRegistered, centerId))
  const { stream } = centerRegistered
  const stored = await getStored(mesh.nats, mesh.names.stream(stream), { last_by_subj: subject })
  if (stored === undefined) return undefined
  const { headers, payload, seq, time } = stored
  const data = (await decodePayload(centerRegistered, readEnvelope(headers), payload)) as CenterRegistered
  const at = eventTime(headers, new Date(time))
  // The epoch would cost a second request, and nothing made of this is stored.
  const change = registeredChange(data, {
    stream: stream.name,
    epoch: 0,
    seq,
    at,
    traceparent: headers[HEADER.traceparent],
  })
  return { data, change }
}
