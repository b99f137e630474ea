import { defineService, event, on } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { testMesh } from '@malha/testing'
import { expect, it } from 'vitest'
import { startConsole } from '../src/index.ts'
import { ask } from './asking.ts'
import { placed } from './shop.ts'

const billed = event('order.billed', { stream: placed.stream, schema: placed.schema, key: ({ n }) => n })

it('a journey names the new message that a replay made of an event, and the journey of that one what it came of', async () => {
  await using test = await testMesh()
  const { mesh } = test
  const bill = on(placed, { startFrom: 'all' }, (order, ctx) => ctx.publish(billed, order))
  const running = await mesh.start(defineService('shop', { publishes: [billed], handlers: { bill } }))
  const { id } = (await mesh.publish(placed, { n: 'o-1', why: 'no room' })) as { id: string }
  using operations = await openOperations(mesh)
  const { id: run } = await operations.runs.replay({ service: 'shop', handler: 'bill', asNew: true, who: 'ana' })
  await operations.runs.work(run, { who: 'ana' })

  await using console = await startConsole({ mesh, port: 0, role: 'viewer' })
  type Steps = { steps: { kind: string; copyId?: string | null; copy?: object | null }[] }
  const steps = async (of: string): Promise<Steps['steps']> => {
    const { status, body } = await ask(console, `/journey?of=${of}`)
    expect(status).toBe(200)
    return (body as unknown as Steps).steps
  }
  const old = await steps(id)
  const copyId = old.find(({ kind }) => kind === 'run')!.copyId!
  const copy = { id: copyId, of: id, run }
  expect(old.filter(({ kind }) => kind === 'event').map((step) => step.copy)).toEqual([null, null, copy])
  expect(await steps(copyId)).toMatchObject([{ kind: 'event', title: 'order.billed', key: 'o-1', copy }])
  await running.stop()
})
