import { setTimeout as sleep } from 'node:timers/promises'
import { defineService } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { faultMesh } from './fault-mesh.ts'
import { startProcess, storedIds } from './fixture.ts'
import { forwarder } from './forwarder.ts'
import { reminded } from './jobs.ts'

const shop = defineService('shop', { handlers: {}, publishes: [reminded] })
const uses = { delays: [reminded] }

const COUNT = 4000
const SPREAD_MS = 9000

test('SIGKILL of those who bring due events, one after the other: each comes, once', { timeout: 120_000 }, async () => {
  await using t = await faultMesh([shop, forwarder], { shop: uses, forwarder: uses })
  const publisher = await t.connect('shop')
  const first = Date.now() + 4000
  const ids = await Promise.all(
    Array.from({ length: COUNT }, async (_, n) => {
      const deliverAt = new Date(first + (n * SPREAD_MS) / COUNT)
      return (await publisher.publish(reminded, { jobId: `j${n}`, n }, { deliverAt })).id
    }),
  )
  await publisher.close()

  const start = () =>
    startProcess({
      file: new URL('forwarder.ts', import.meta.url),
      env: t.as('forwarder'),
      isReady: (said) => said.includes('forwarder'),
    })
  const jsm = await jetstreamManager(t.nats)
  const stored = async (): Promise<number> => (await jsm.streams.info('REMINDERS')).state.messages
  let left = await start()
  for (let kill = 1; kill <= 4; kill++) {
    const next = await start()
    const had = await stored()
    await eventually(async () => had === COUNT || (await stored()) > had)
    // Somewhere in a burst, and not always at the same place of it.
    await sleep(kill * 17)
    await left.kill()
    left = next
  }
  await using _last = left
  const waiting = async (): Promise<number> => (await jsm.streams.info('DELAYS')).state.messages
  await eventually(async () => expect(await waiting()).toBe(0), { timeoutMs: 60_000 })
  const counts = (await storedIds(t, 'REMINDERS')).get('reminder.due')!
  expect(ids.filter((id) => !counts.has(id))).toEqual([])
  expect([...counts].filter(([, times]) => times > 1)).toEqual([])
})
