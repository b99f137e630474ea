/** As many keys of a partition as may wait are held behind dead letters. */
import { defineService, event, type Metrics, on, Reject, stream } from '@malha/mesh'
import { eventually, testMesh, testServer } from '@malha/testing'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { examine, openOperations } from '../../src/index.ts'

/** A record of the server's largest message has room for so many, so that the test needs no thousand. */
const MOST = 64
const LAST = 49
const config = `max_payload: ${MOST * 512}`

const orders = stream('ORDERS', { subjects: ['order.>'], partitions: 1 })
const moved = event('order.moved', {
  stream: orders,
  schema: z.object({ order: z.string() }),
  key: ({ order }) => order,
})

it('a partition of which as many keys are held as may reads nothing new, says so everywhere, and goes on with the first letter that is dealt with', async () => {
  await using server = await testServer({ config })
  const gauges = new Map<string, number>()
  await using test = await testMesh({ server, metrics: gaugesInto(gauges) })
  const { mesh } = test
  const handled: string[] = []
  const bill = on(moved, { order: 'key', onDeadLetter: 'hold-key', startFrom: 'all', concurrency: 1 }, ({ order }) => {
    if (order.startsWith('bad')) throw new Reject('no room')
    handled.push(order)
  })
  const running = await mesh.start(defineService('shop', { handlers: { bill } }))
  await Promise.all(Array.from({ length: MOST }, (_, n) => mesh.publish(moved, { order: `bad-${n}` })))
  using operations = await openOperations(mesh)
  const full = async (): Promise<unknown> => (await operations.handlers.list())[0]?.instances[0]?.fullPartitions
  await eventually(async () => expect(await full()).toEqual([0]))
  // What it had asked for before comes still.
  for (let n = 0; n <= LAST; n++) await mesh.publish(moved, { order: `good-${n}` })

  const looker = await test.connect({ topology: 'none' })
  using onlooker = await openOperations(looker)
  await eventually(async () => {
    expect(await onlooker.why(`good-${LAST}`)).toMatchObject({
      situation: 'partition-full',
      sentence: `order.moved good-${LAST} was not read by shop/bill yet: partition 0 reads nothing new, because as many of its keys wait as may, ${MOST} of them behind dead letters`,
      next: 'malha dlq list --state open --service shop --handler bill',
    })
  })
  const { state, findings } = await examine(looker, { againAfterMs: 100 })
  expect(state).toBe('fail')
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'instances',
      state: 'fail',
      what: `its partitions 0 read nothing new: as many of their keys wait as may; ${MOST} keys are held behind dead letters`,
      fix: expect.stringMatching(/^malha dlq list --state open --service shop --handler bill/),
    }),
  )
  await eventually(() => expect(gauges.get('mesh_partitions_full')).toBe(1), { timeoutMs: 20_000 })
  expect(gauges.get('mesh_keys_behind_letters')).toBe(MOST)
  expect(handled.length).toBeLessThan(LAST)

  await operations.letters.refresh()
  await operations.letters.discard(1, { who: 'ana', reason: 'a test order' })
  await eventually(() => expect(handled).toHaveLength(LAST + 1))
  expect(await full()).toEqual([])
  expect(await onlooker.why(`good-${LAST}`)).toMatchObject({ situation: 'done' })
  await running.stop()
})

function gaugesInto(gauges: Map<string, number>): Metrics {
  const nothing = (): void => undefined
  return {
    counter: () => ({ add: nothing }),
    gauge: ({ name }) => ({ set: (_labels, value) => void gauges.set(name, value) }),
    histogram: () => ({ observe: nothing }),
  }
}
