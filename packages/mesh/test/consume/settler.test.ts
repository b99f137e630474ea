import type { NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { Settler } from '../../src/consume/settler.ts'
import type { ConnectionWatch } from '../../src/lifecycle/connection-watch.ts'

/** A settler, what it sent, and its connection's ups and downs. */
function underTest(): { settler: Settler; sent: string[]; goDown: () => void; comeUp: () => void } {
  const sent: string[] = []
  let isUp = true
  let onUp = (): void => undefined
  const nc = {
    publish: (reply: string, body: Uint8Array) => sent.push(`${reply} ${Buffer.from(body).toString()}`),
    isClosed: () => false,
    isDraining: () => false,
  } as unknown as NatsConnection
  const connection = {
    isUp: () => isUp,
    listen({ up }: { up: () => void }) {
      onUp = up
      return () => undefined
    },
  } as unknown as ConnectionWatch
  return {
    settler: new Settler(nc, connection),
    sent,
    goDown: () => (isUp = false),
    comeUp() {
      isUp = true
      onUp()
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('answers go out at the end of the turn, in their order, and then it is told', async () => {
  const { settler, sent } = underTest()
  const told: string[] = []
  settler.ack('a', () => told.push('a'))
  settler.nak('b')
  settler.term('c', () => told.push('c'))
  expect(sent).toEqual([])
  await turn()
  expect(sent).toEqual(['a +ACK', 'b -NAK', 'c +TERM'])
  expect(told).toEqual(['a', 'c'])
})

test('what ended a delivery lately is sent again after a lapse, nothing else is', async () => {
  const { settler, sent } = underTest()
  settler.ack('a')
  settler.ack('b')
  settler.nak('c')
  settler.working('d')
  await turn()
  settler.term('e')
  await turn()
  sent.length = 0
  settler.sendAgain()
  expect(sent.toSorted()).toEqual(['a +ACK', 'b +ACK', 'e +TERM'])
})

test('an ack that is given while the connection is down waits, and goes out once it is up', async () => {
  const { settler, sent, goDown, comeUp } = underTest()
  settler.ack('a')
  await turn()
  goDown()
  settler.ack('b')
  settler.working('c')
  await turn()
  expect(sent).toEqual(['a +ACK'])
  comeUp()
  expect(sent.slice(1).toSorted()).toEqual(['a +ACK', 'b +ACK'])
})
