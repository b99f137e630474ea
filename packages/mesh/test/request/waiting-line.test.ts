import { expect, test } from 'vitest'
import type { Job } from '../../src/request/job.ts'
import { WaitingLine } from '../../src/request/waiting-line.ts'

const job = (expiresAt: number): Job => ({
  request: { subject: '', reply: '', headers: {}, payload: new Uint8Array() } as never,
  expiresAt,
  waitsUntil: expiresAt,
  timeoutMs: 1,
  session: undefined,
  send: () => undefined,
  close: () => undefined,
})

test('no request is passed over before its time, though timers fire a little early', async () => {
  const early: number[] = []
  const all = Promise.withResolvers<void>()
  const count = 300
  let passed = 0
  const line = new WaitingLine(({ expiresAt }) => {
    const now = performance.now()
    if (now < expiresAt) early.push(expiresAt - now)
    if (++passed === count) all.resolve()
  })
  for (let n = 0; n < count; n++) line.add(job(performance.now() + 20 + n / 7))
  await all.promise
  expect(early).toEqual([])
  expect(line.length).toBe(0)
})
