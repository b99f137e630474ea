import { expectTypeOf, test } from 'vitest'
import type { Contract, Mesh, Published, Queued } from '@malha/mesh'

declare const mesh: Mesh
declare const placed: Contract<{ orderId: string }>

test('whoever reads a sequence must ask first whether the event is only queued', async () => {
  const published = await mesh.publish(placed, { orderId: 'o1' })
  expectTypeOf(published).toEqualTypeOf<Published | Queued>()
  expectTypeOf(published.seq).toEqualTypeOf<number | undefined>()
  expectTypeOf(published.id).toBeString()
  expectTypeOf(published.duplicate).toBeBoolean()
  if (published.queued) expectTypeOf(published).toEqualTypeOf<Queued>()
  else expectTypeOf(published.seq).toBeNumber()
})

test('what expects something is never queued', async () => {
  const published = await mesh.publish(placed, { orderId: 'o1' }, { expect: { lastSeq: 0, subjects: 'order.>' } })
  expectTypeOf(published).toEqualTypeOf<Published>()
})
