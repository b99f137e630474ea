import type { Mesh } from '@malha/mesh'
import { expect, test } from 'vitest'
import { alreadyStored, type Sendable } from '../src/relay/already-stored.ts'

const row = { id: 7, triedEpoch: 1, triedAfter: 0, event: { subject: 'a', envelope: { id: 'mine' } } }

/** A stream of one subject that is at `last`, and grows by one whenever it is read. */
function growing(last: number): { mesh: Mesh; reads: () => number } {
  let end = last
  let reads = 0
  const request = (_subject: string, body: string): Promise<object> => {
    reads += 1
    const { seq } = JSON.parse(body) as { seq?: number }
    const message = { subject: 'a', seq: seq ?? end, time: '', hdrs: Buffer.from(`NATS/1.0\r\nce-id: ${seq}\r\n`) }
    end += 1
    return Promise.resolve({ json: () => ({ message: { ...message, hdrs: message.hdrs.toString('base64') } }) })
  }
  const names = { stream: () => 'S', subject: () => 'a' }
  return { mesh: { nats: { request }, names } as unknown as Mesh, reads: () => reads }
}

test('a subject that grows as fast as it is read is read up to where it was, and no further', async () => {
  const { mesh, reads } = growing(10)
  const looking = { stream: 'S', rows: [row as unknown as Sendable], position: { epoch: 1, lastSeq: 10 } }
  expect(await alreadyStored(mesh, looking)).toEqual(new Set())
  expect(reads()).toBe(11)
})
