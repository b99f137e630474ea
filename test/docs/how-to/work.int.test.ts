import { centerOnboarded } from '@malha/contracts'
import { defineService, getStored } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { load, type Warehouse } from './batches.ts'
import { deliver, example, goOn, goSlowly, tellManager } from './limits.ts'

test('the warehouse gets many at once, and what it refuses becomes a dead letter', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const rows: string[] = []
  const warehouse: Warehouse = {
    insert(given) {
      rows.push(...given.map(({ centerId }) => centerId))
      const index = given.findIndex(({ centerId }) => centerId === 'c-7')
      return Promise.resolve({ refused: index === -1 ? [] : [{ index, why: 'it has no region' }] })
    },
  }
  await mesh.start(defineService('warehouse', { handlers: { load: load(warehouse) } }))
  const ids = Array.from({ length: 40 }, (_, n) => `c-${n}`)
  await Promise.all(ids.map((centerId) => mesh.publish(centerOnboarded, { centerId })))
  await eventually(() => expect(rows.toSorted()).toEqual(ids.toSorted()))
  const letters = { last_by_subj: mesh.names.subject('dlq.>') }
  const letter = await eventually(async () => {
    const stored = await getStored(mesh.nats, mesh.names.stream('DEAD_LETTERS'), letters)
    expect(stored).toBeDefined()
    return stored
  })
  expect(letter?.payload.toString()).toContain('c-7')
})

test('the manager is told within the limits, which change while the service runs', async () => {
  await using own = await testMesh()
  const { mesh } = own
  const sent: string[] = []
  const send = (to: string, text: string): Promise<void> => Promise.resolve(void sent.push(`${to}: ${text}`))
  const handlers = { tellManager: tellManager(send), deliver: deliver(send) }
  const running = await mesh.start(defineService('mailer', { handlers }))
  goSlowly(running)
  goOn(running)
  await mesh.publish(centerOnboarded, { centerId: 'c-1' })
  await example(mesh)
  const all = ['ana: Our newsletter', 'ana: Your code is 4711', 'manager: c-1 is ready']
  await eventually(() => expect(sent.toSorted()).toEqual(all))
})
