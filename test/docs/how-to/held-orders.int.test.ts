import { openOperations } from '@malha/operations'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { bookkeeping, orderMoved } from './held-orders.ts'

test('what an order’s dead letter holds is booked once that was sent again, and other orders meanwhile', async () => {
  await using t = await testMesh()
  const accounts = new Set(['o-2'])
  const booked: string[] = []
  const write = (orderId: string, step: string): Promise<boolean> => {
    const has = accounts.has(orderId)
    if (has) booked.push(`${orderId} ${step}`)
    return Promise.resolve(has)
  }
  await t.mesh.start(bookkeeping({ write }))
  for (const step of ['paid', 'sent'] as const)
    for (const orderId of ['o-1', 'o-2']) await t.mesh.publish(orderMoved, { orderId, step })
  using operations = await openOperations(t.mesh)
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(1)
    expect(booked).toEqual(['o-2 paid', 'o-2 sent'])
  })
  accounts.add('o-1')
  const { id } = await operations.runs.redrive({ filter: {}, who: 'ana' })
  expect((await operations.runs.work(id, { who: 'ana' })).counts).toMatchObject({ sent: 1, ok: 1 })
  await eventually(() => expect(booked.slice(2)).toEqual(['o-1 paid', 'o-1 sent']))
})
