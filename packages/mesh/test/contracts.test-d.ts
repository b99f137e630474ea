import { defineService, event, type Mesh, on, publication, type Published, stream, topic } from '@malha/mesh'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const centers = stream('CENTERS', { subjects: ['center.>'] })
const registered = event('center.registered', {
  stream: centers,
  schema: z.object({ centerId: z.string(), at: z.string().transform((text) => new Date(text)) }),
  key: (center) => center.centerId,
})
declare const mesh: Mesh

test('a publisher gives the schema’s input', () => {
  void mesh.publish(registered, { centerId: 'c1', at: '2026-11-20T10:00:00Z' })
  // @ts-expect-error a field is missing
  void mesh.publish(registered, { centerId: 'c1' })
  // @ts-expect-error a field has another type
  void mesh.publish(registered, { centerId: 1, at: '2026-11-20T10:00:00Z' })
  // @ts-expect-error a field nobody knows
  void mesh.publish(registered, { centerId: 'c1', at: '', city: 'x' })
})

test('each event of a batch has the payload of its own contract', () => {
  const moved = event('center.moved', { stream: centers, schema: z.object({ to: z.string() }) })
  const all = mesh.publishAll([
    publication(registered, { centerId: 'c1', at: '' }, { once: true }),
    publication(moved, { to: 'Santos' }),
  ])
  expectTypeOf(all).resolves.toEqualTypeOf<Published[]>()
  // @ts-expect-error a field is missing
  publication(registered, { centerId: 'c1' })
  // @ts-expect-error a field of another contract
  publication(moved, { centerId: 'c1', at: '' })
  // @ts-expect-error one event does not wait longer than the others
  publication(moved, { to: 'Santos' }, { timeoutMs: 5 })
})

test('a handler gets the schema’s output', () => {
  on(registered, (center, ctx) => {
    expectTypeOf(center).toEqualTypeOf<{ centerId: string; at: Date }>()
    expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>()
    ctx.publish(registered, { centerId: 'c2', at: '' })
    // @ts-expect-error outputs are typed too
    ctx.publish(registered, { centerId: 'c2' })
  })
  // @ts-expect-error a handler for another payload
  on(registered, (center: { orderId: string }) => void center)
})

test('a topic gives unknown', () => {
  on(topic(centers, 'center.*'), (data) => {
    expectTypeOf(data).toEqualTypeOf<unknown>()
  })
})

test('the key is taken from the schema’s output', () => {
  event('center.moved', {
    stream: centers,
    schema: z.object({ at: z.string().transform(Number) }),
    key: (moved) => {
      expectTypeOf(moved.at).toEqualTypeOf<number>()
      return String(moved.at)
    },
  })
})

test('a handler that keeps the order of keys has a fence, any other may have none', () => {
  on(registered, { order: 'key' }, (_, ctx) => {
    expectTypeOf(ctx.fence).toEqualTypeOf<number>()
  })
  on(registered, {}, (_, ctx) => {
    expectTypeOf(ctx.fence).toEqualTypeOf<number | undefined>()
  })
})

test('only a handler that keeps the order of keys can hold one behind a dead letter', () => {
  on(registered, { order: 'key', onDeadLetter: 'hold-key' }, () => {})
  // @ts-expect-error without order
  on(registered, { onDeadLetter: 'hold-key' }, () => {})
  // @ts-expect-error no such thing
  on(registered, { order: 'key', onDeadLetter: 'stop' }, () => {})
})

test('a handler is made by on()', () => {
  // @ts-expect-error a bare function says not what it handles
  defineService('x', { handlers: { a: () => {} } })
})

test('what a context makes on demand is taken out of it by name: a copy is without it', () => {
  on(registered, (_, ctx) => {
    // oxlint-disable-next-line typescript/no-misused-spread -- what it loses is what is tested
    const copy = { ...ctx, tenant: 'one' }
    expectTypeOf(copy.id).toEqualTypeOf<string>()
    // @ts-expect-error not in a copy
    void copy.signal
    // @ts-expect-error not in a copy
    copy.publish(registered, { centerId: 'c1', at: '' })
  })
})
