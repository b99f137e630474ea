import { headers, type Msg } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { readDelivery } from '../../src/consume/delivery.ts'
import { noCredit } from '../../src/consume/ordered/stored-delivery.ts'
import { decide } from '../../src/failure/decide.ts'
import { hours, minutes, retry } from '../../src/index.ts'

const policy = retry({ attempts: 100, minDelayMs: 1_000, maxDelayMs: 60_000, forMs: minutes(30) })
const ackSubject = '$JS.ACK.LANES_WORKER.worker_work.1.7.7.1767225600500000000.0'

/** What becomes of a copy from a lane that fails again, where the server's clock is off this process's by so much. */
function next(serverAheadMs: number, failedForMs: number): string {
  const serverNow = (): number => Date.now() + serverAheadMs
  const hdrs = headers()
  hdrs.set('malha-first-failure-ms', String(serverNow() - failedForMs))
  const msg = {
    subject: 'lane.worker.work.now',
    reply: ackSubject,
    headers: hdrs,
    data: Buffer.alloc(0),
  } as unknown as Msg
  const delivery = readDelivery(msg, { via: 'lane', epoch: 1, credit: noCredit, serverNow })
  return decide(new Error('not yet'), { ...delivery, attempts: 4 }, { policy, isProbe: false }).kind
}

test('how long a message on a lane is retried goes by the server’s clock, an hour off this process’s or not', () => {
  for (const ahead of [-hours(1), 0, hours(1)]) {
    expect(next(ahead, minutes(29))).toBe('retry')
    expect(next(ahead, minutes(31))).toBe('bury')
  }
})
