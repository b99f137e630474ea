import { eventually, type TestMesh } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { expect } from 'vitest'

/** A message as the server has it; header names in lower case, unread where no client can read them. */
export type Kept = { seq: number; subject: string; headers: Record<string, string>; payload: Buffer }

/** Everything in a stream, named without the namespace, oldest first. */
export async function kept(t: TestMesh, name: string): Promise<Kept[]> {
  const stream = `${t.namespace}_${name}`
  const { state } = await (await jetstreamManager(t.nats)).streams.info(stream)
  const messages: Kept[] = []
  if (state.messages === 0) return messages
  const consumer = await jetstream(t.nats).consumers.get(stream)
  for await (const message of await consumer.consume()) {
    const { seq, subject, data, info } = message
    const headers = [...(message.headers ?? [])].map(([name, values]) => [name.toLowerCase(), values[0] ?? ''])
    messages.push({ seq, subject, headers: Object.fromEntries(headers), payload: Buffer.from(data) })
    if (seq >= state.last_seq || info.pending === 0) break
  }
  await consumer.delete()
  return messages
}

/** The dead letters once there are `count`, and no more come while the handler settles. */
export async function letters(t: TestMesh, count: number): Promise<Kept[]> {
  return eventually(
    async () => {
      const found = await kept(t, 'DEAD_LETTERS')
      expect(found.map(({ subject }) => subject)).toHaveLength(count)
      return found
    },
    { timeoutMs: 30_000, intervalMs: 100 },
  )
}
