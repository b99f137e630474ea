import { setTimeout as sleep } from 'node:timers/promises'
import type { Mesh } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { parcelSent, TO } from './contracts.ts'

const PART = 5000
/** The stream of letters holds 1 GiB unless its operator says otherwise. */
const ROOM_BYTES = 8 * 1024 ** 3
const HANDLER_WITHIN_MS = 30_000

/** Publishes events and waits until each is a letter. Resolves with what one took, µs, and what it takes in its stream. */
export async function writeLetters(
  mesh: Mesh,
  count: number,
  say: (line: string) => void,
): Promise<{ writtenUs: number; bytesEach: number }> {
  const jsm = await jetstreamManager(mesh.nats)
  const name = mesh.names.stream('DEAD_LETTERS')
  const until = performance.now() + HANDLER_WITHIN_MS
  for (;;) {
    const isThere = await jsm.consumers.info(mesh.names.stream('PARCELS'), 'depot_send').catch(() => undefined)
    if (isThere) break
    if (performance.now() > until) throw new Error('the handler did not start')
    await sleep(50)
  }
  await jsm.streams.update(name, { max_bytes: ROOM_BYTES })
  const stateNow = async (): Promise<{ messages: number; bytes: number }> => (await jsm.streams.info(name)).state
  const startedAt = performance.now()
  let saidAt = startedAt
  for (let from = 0; from < count; from += PART) {
    const length = Math.min(PART, count - from)
    await Promise.all(Array.from({ length }, (_, at) => mesh.publish(parcelSent, { n: from + at, to: TO })))
    if (performance.now() - saidAt < 5000) continue
    saidAt = performance.now()
    say(`${from + length} published, ${(await stateNow()).messages} letters`)
  }
  for (;;) {
    const { messages, bytes } = await stateNow()
    if (messages >= count)
      return { writtenUs: ((performance.now() - startedAt) * 1000) / count, bytesEach: Math.round(bytes / messages) }
    await sleep(50)
  }
}
