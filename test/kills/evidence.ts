import { eventually } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { expect } from 'vitest'
import { type PartnerName, partnerNames } from '../reference/processes.ts'
import type { ReferenceMesh } from './reference-mesh.ts'

/** What a partner simulator says of one centre, and of all. */
export type Received = {
  created: number
  attempts: number
  byCenter: Record<string, { effects: number; attempts: number; keys: string[] }>
}

export type Fault = { mode: string; rate?: number; latencyMs?: number; retryAfterS?: number }

export async function received(mesh: ReferenceMesh, partner: PartnerName): Promise<Received> {
  return (await (await fetch(`${mesh.partner(partner).control}/_received`)).json()) as Received
}

export async function setFault(mesh: ReferenceMesh, partner: PartnerName, fault: Fault): Promise<void> {
  const answer = await fetch(`${mesh.partner(partner).control}/_fault`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fault),
  })
  if (!answer.ok) throw new Error(`PUT /_fault answered ${answer.status}: ${await answer.text()}`)
}

export type StoredEvent = { type: string; seq: number; data: Record<string, string>; at: Date }

/** Every event of a stream, oldest first. */
export async function eventsOf(nats: NatsConnection, stream: string): Promise<StoredEvent[]> {
  const { state } = await (await jetstreamManager(nats)).streams.info(stream)
  const events: StoredEvent[] = []
  if (state.messages === 0) return events
  const consumer = await jetstream(nats).consumers.get(stream)
  for await (const message of await consumer.consume({ max_messages: 2_000 })) {
    const type = message.headers?.get('ce-type') ?? ''
    events.push({ type, seq: message.seq, data: message.json(), at: message.time })
    if (message.seq >= state.last_seq || message.info.pending === 0) break
  }
  await consumer.delete()
  return events
}

/** One of each fact and centre in the streams. */
export async function expectEachFactOnce(mesh: ReferenceMesh, ids: readonly string[]): Promise<void> {
  const events = [...(await eventsOf(mesh.watch, 'CENTERS')), ...(await eventsOf(mesh.watch, 'PARTNERS'))]
  const facts = events.map(({ type, data }) => [type, data['system'], data['centerId']].filter(Boolean).join(' '))
  const expected = ids.flatMap((id) => [
    `center.registered ${id}`,
    `provider.created senninha ${id}`,
    `provider.created maas ${id}`,
    `city.registered ${id}`,
    `center.onboarded ${id}`,
  ])
  expect(facts.toSorted()).toEqual(expected.toSorted())
}

/** One effect and one idempotency key for each centre and partner, over all attempts. */
export async function expectOneEffectEach(mesh: ReferenceMesh, ids: readonly string[]): Promise<void> {
  for (const partner of partnerNames) {
    const { byCenter } = await received(mesh, partner)
    const other = Object.entries(byCenter).filter(([, { effects, keys }]) => effects !== 1 || keys.length !== 1)
    expect({ partner, other }).toEqual({ partner, other: [] })
    expect(Object.keys(byCenter).toSorted()).toEqual(ids.toSorted())
  }
}

export async function expectNoDeadLetters(mesh: ReferenceMesh): Promise<void> {
  const { state } = await (await jetstreamManager(mesh.watch)).streams.info('DEAD_LETTERS')
  expect(state.last_seq).toBe(0)
}

/** When the providers of a system were stored, by centre. */
export async function createdAt(mesh: ReferenceMesh, system: string): Promise<{ centerId: string; at: Date }[]> {
  const events = (await eventsOf(mesh.watch, 'PARTNERS')).filter(({ data }) => data['system'] === system)
  return events.map(({ data, at }) => ({ centerId: data['centerId']!, at }))
}

/** Waits for longer than the `ack_wait` of a handler, after which comes again what a killed process had in hand. */
export async function untilCreated(mesh: ReferenceMesh, system: string, count: number): Promise<void> {
  const check = async (): Promise<boolean> => (await createdAt(mesh, system)).length >= count
  await eventually(check, { timeoutMs: 60_000, intervalMs: 250 })
}
