import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Delivery } from '../../src/consume/delivery.ts'
import { Intake, type IntakeOptions } from '../../src/consume/intake.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const ACK_WAIT_MS = 30_000

type UnderTest = {
  intake: Intake
  /** What was handed on. */
  got: Delivery[]
  /** What the server was told, newest last. */
  told: string[]
  /** The server delivers a sequence, stored at that ms, for the n-th time. */
  deliver: (seq: number, storedMs: number, nth?: number) => string
}

function underTest(onDelivery?: (delivery: Delivery, intake: Intake) => void): UnderTest {
  const got: Delivery[] = []
  const told: string[] = []
  let arrive: (error: null, msg: Msg) => void = () => undefined
  let deliveries = 0
  const tell = (what: string) => (reply: string) => void told.push(`${what} ${reply.split('.').slice(4, 7).join('.')}`)
  const nc = {
    subscribe(_: string, { callback }: { callback: typeof arrive }) {
      arrive = callback
      return { drain: () => Promise.resolve() }
    },
    publish: () => undefined,
    isClosed: () => false,
    isDraining: () => false,
  }
  const intake: Intake = new Intake({
    nc: nc as unknown as NatsConnection,
    connection: { listen: () => () => undefined },
    settler: {
      ack: tell('ack'),
      nak: tell('nak'),
      working: tell('working'),
      sendAgain: () => undefined,
    },
    onDoubt: () => undefined,
    def: { ackWaitMs: ACK_WAIT_MS },
    epoch: 1,
    handler: 'work',
    labels: { service: 'worker', handler: 'work' },
    onDelivery(delivery: Delivery) {
      got.push(delivery)
      onDelivery?.(delivery, intake)
    },
  } as unknown as IntakeOptions)
  intake.open({ via: 'event', stream: 'JOBS', durable: 'worker_work', limit: 10 })
  return {
    intake,
    got,
    told,
    deliver(seq, storedMs, nth = 1) {
      const place = `${nth}.${seq}.${++deliveries}`
      const reply = `$JS.ACK.JOBS.worker_work.${place}.${storedMs}000000.0`
      arrive(null, { subject: 'job.made', reply, data: Buffer.alloc(0) } as unknown as Msg)
      return place
    },
  }
}

test('a message that is here already is not handed on again, and its newest reply is the one that counts', () => {
  const { intake, got, told, deliver } = underTest()
  deliver(7, 1000)
  const newest = deliver(7, 1000, 2)
  expect(got).toHaveLength(1)
  intake.settle(got[0]!, 'ack')
  expect(told).toEqual([`ack ${newest}`])
})

test.each([
  ['later', false],
  ['at once', true],
])('a message that was answered %s is only acked when it comes again', (_, atOnce) => {
  const { intake, got, told, deliver } = underTest((delivery, own) => {
    if (atOnce) own.settle(delivery, 'ack')
  })
  const first = deliver(7, 1000)
  if (!atOnce) intake.settle(got[0]!, 'ack')
  const second = deliver(7, 1000, 2)
  expect(got).toHaveLength(1)
  expect(told).toEqual([`ack ${first}`, `ack ${second}`])
})

test('a message that was handed back is handed on when it comes again', () => {
  const { intake, got, deliver } = underTest()
  deliver(7, 1000)
  intake.handBack(got[0]!)
  deliver(7, 1000, 2)
  expect(got).toHaveLength(2)
})

test('another event with the sequence of one that is lost is handed on, and only it is answered', () => {
  const { intake, got, told, deliver } = underTest()
  deliver(7, 1000)
  const second = deliver(7, 2000)
  expect(got).toHaveLength(2)
  intake.settle(got[0]!, 'ack')
  expect(told).toEqual([])
  deliver(7, 2000, 2)
  expect(got).toHaveLength(2)
  intake.settle(got[1]!, 'ack')
  expect(told).toHaveLength(1)
  expect(told[0]).not.toBe(`ack ${second}`)
})

test('what is here is kept ours until it is answered', () => {
  const { intake, got, told, deliver } = underTest()
  const place = deliver(7, 1000)
  vi.advanceTimersByTime(ACK_WAIT_MS / 3)
  expect(told).toEqual([`working ${place}`])
  intake.settle(got[0]!, 'ack')
  vi.advanceTimersByTime(ACK_WAIT_MS)
  expect(told).toEqual([`working ${place}`, `ack ${place}`])
})

test('what was answered at once is not kept', () => {
  const { told, deliver } = underTest((delivery, intake) => intake.settle(delivery, 'ack'))
  const place = deliver(7, 1000)
  vi.advanceTimersByTime(ACK_WAIT_MS)
  expect(told).toEqual([`ack ${place}`])
})
