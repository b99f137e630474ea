import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, event, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { startProcess, storedIds } from './fixture.ts'
import { Job } from './jobs.ts'

/** Its window is over long before another takes what a killed process had in hand. */
const reminders = stream('REMINDERS', { subjects: ['reminder.>'], duplicateWindowMs: 100 })
const reminded = event('reminder.due', { stream: reminders, schema: Job, key: (job) => job.jobId })

const COUNT = 4000
const SPREAD_MS = 9000

test('SIGKILL of those who bring due events, one after the other: each comes, once', { timeout: 120_000 }, async () => {
  await using t = await testMesh()
  const publisher = await t.connect()
  await publisher.provision(defineService('shop', { handlers: {}, publishes: [reminded] }))
  const first = Date.now() + 4000
  const ids = await Promise.all(
    Array.from({ length: COUNT }, async (_, n) => {
      const deliverAt = new Date(first + (n * SPREAD_MS) / COUNT)
      return (await publisher.publish(reminded, { jobId: `j${n}`, n }, { deliverAt })).id
    }),
  )
  await publisher.close()

  const forwarder = () =>
    startProcess(t, {
      file: new URL('forwarder.ts', import.meta.url),
      env: { NATS_URL: t.url },
      isReady: (said) => said.includes('forwards'),
    })
  const jsm = await jetstreamManager(t.nats)
  const stored = async (): Promise<number> => (await jsm.streams.info(`${t.namespace}_REMINDERS`)).state.messages
  let left = await forwarder()
  for (let kill = 1; kill <= 4; kill++) {
    const next = await forwarder()
    const had = await stored()
    await eventually(async () => had === COUNT || (await stored()) > had)
    // Somewhere in a burst, and not always at the same place of it.
    await sleep(kill * 17)
    await left.kill()
    left = next
  }
  await using last = left
  expect(last.pid).toBeGreaterThan(0)
  const info = async () => (await jsm.streams.info(`${t.namespace}_DELAYS`)).state.messages
  await eventually(async () => expect(await info()).toBe(0), { timeoutMs: 60_000 })
  const counts = (await storedIds(t, 'REMINDERS')).get('reminder.due')!
  expect(ids.filter((id) => !counts.has(id))).toEqual([])
  expect([...counts].filter(([, times]) => times > 1)).toEqual([])
})
