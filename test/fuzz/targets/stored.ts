import { isDeepStrictEqual } from 'node:util'
import type { NatsConnection } from '@nats-io/transport-node'
import { getStored } from '@malha/mesh'
import { Input } from '../engine/input.ts'
import { check, type Target } from '../engine/target.ts'
import { headers } from './headers.ts'
import { firstOfEach, referencePairs } from './reference-headers.ts'

/** A message read back from its stream says the same as one that was delivered. */
export const stored: Target = {
  name: 'stored',
  async run(bytes) {
    const input = new Input(bytes)
    const payload = input.bytes(40)
    const block = input.rest()
    const base64 = (some: Uint8Array): string => Buffer.from(some).toString('base64')
    const message = {
      subject: 'a.b',
      seq: 7,
      time: '2026-11-21T12:00:09.12Z',
      hdrs: base64(block),
      data: base64(payload),
    }
    const nc = { request: async () => ({ json: () => ({ message }) }) } as unknown as NatsConnection
    const found = await getStored(nc, 'A', { seq: 7 })
    const expected = referencePairs(block)
    check(isDeepStrictEqual(found?.pairs, expected), 'other headers than when it is delivered', found?.pairs, expected)
    const first = new Map(Object.entries(found?.headers ?? {}))
    check(isDeepStrictEqual(first, firstOfEach(expected)), 'another first value', first, expected)
    check(found?.payload.equals(payload) === true, 'another payload')
  },
  seeds: [new TextEncoder().encode('\x02{}NATS/1.0\r\nce-id: 1\r\nce-type: a.b\r\n\r\n')],
  ...(headers.words && { words: headers.words }),
}
