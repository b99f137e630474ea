import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import {
  defineService,
  event,
  getStored,
  type Mesh,
  on,
  provisionOperations,
  retry,
  sendRunMessage,
  stream,
} from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { recordSpans } from '../support/recorded-spans.ts'

const exporter = recordSpans()
const orders = stream('ORDERS', { subjects: ['order.>'] })
const schema = z.object({ orderId: z.string() })
const placed = event('order.placed', { stream: orders, schema, key: (order) => order.orderId })
const billed = event('order.billed', { stream: orders, schema, key: (order) => order.orderId })

const spans = (name: string): ReadableSpan[] =>
  exporter
    .getFinishedSpans()
    .filter((span) => span.name === name)
    .sort((a, b) => Number(a.attributes['mesh.attempt']) - Number(b.attributes['mesh.attempt']))

/** Of a span without any length, Jaeger warns that it ended before it began. */
function expectMoment(span: ReadableSpan | undefined): void {
  const [seconds, nanos] = span?.duration ?? []
  expect(seconds).toBe(0)
  expect(nanos).toBeGreaterThan(0)
  expect(nanos).toBeLessThan(10_000)
}

test('an attempt is child of the publish and linked to it, and the handler’s outputs are its children', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const service = defineService('billing', {
    publishes: [billed],
    handlers: { bill: on(placed, { startFrom: 'all' }, (order, ctx) => ctx.publish(billed, order)) },
  })
  await mesh.start(service)
  await mesh.publish(placed, { orderId: 'o1' })
  // An attempt ends after its outputs.
  await eventually(() => expect(spans('process order.placed')).toHaveLength(1))

  const [publish] = spans('publish order.placed')
  const [process] = spans('process order.placed')
  const [output] = spans('publish order.billed')
  expect(publish?.kind).toBe(SpanKind.PRODUCER)
  expect(process?.kind).toBe(SpanKind.CONSUMER)
  expect(process?.parentSpanContext?.spanId).toBe(publish?.spanContext().spanId)
  expect(process?.links.map((link) => link.context.spanId)).toEqual([publish?.spanContext().spanId])
  expect(output?.parentSpanContext?.spanId).toBe(process?.spanContext().spanId)
  expect(process?.attributes).toMatchObject({
    'messaging.system.name': 'nats',
    'messaging.system': 'nats',
    'messaging.operation.type': 'process',
    'messaging.destination.template': 'order.placed',
    'messaging.nats.message.delivery_count': 1,
  })
})

test('the attempts before and after a copy on the lane are one trace, each linked to the one before', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const attempts: number[] = []
  const service = defineService('billing', {
    handlers: {
      // Longer than a process holds a retry, so it goes to the lane; it is made due by hand below.
      bill: on(placed, { startFrom: 'all', retry: retry({ minDelayMs: 31_000, maxDelayMs: 32_000 }) }, (_, ctx) => {
        attempts.push(ctx.attempt)
        if (ctx.attempt === 1) throw new Error('the bank is away')
      }),
    },
  })
  await mesh.start(service)
  await mesh.publish(placed, { orderId: 'o1' })
  const waiting = await eventually(() => waitingCopy(mesh))
  await makeDue(mesh, waiting)
  await eventually(() => expect(attempts).toEqual([1, 2]))
  await eventually(() => expect(spans('process order.placed')).toHaveLength(2))

  const [first, second] = spans('process order.placed')
  expect(second?.spanContext().traceId).toBe(first?.spanContext().traceId)
  expect(second?.parentSpanContext?.spanId).toBe(first?.parentSpanContext?.spanId)
  expect(second?.links.map((link) => link.context.spanId)).toContain(first?.spanContext().spanId)
  expect(first?.status.code).toBe(SpanStatusCode.ERROR)
  expect(second?.status.code).toBe(SpanStatusCode.UNSET)
})

type Copy = { subject: string; hdrs: string; data: string }

async function waitingCopy(mesh: Mesh): Promise<Copy> {
  const query = { last_by_subj: `${mesh.names.subject('lane.billing.bill.at')}.>` }
  const answer = await mesh.nats.request(`$JS.API.STREAM.MSG.GET.${mesh.names.lanes('billing')}`, JSON.stringify(query))
  const { message } = answer.json<{ message?: Copy }>()
  if (!message) throw new Error('nothing waits on the lane yet')
  return message
}

/** Replaces the schedule by one that is due: what an operator's tool would do by the wire. */
async function makeDue(mesh: Mesh, { subject, hdrs, data }: Copy): Promise<void> {
  const block = Buffer.from(hdrs, 'base64')
    .toString()
    .replace(/Nats-Schedule: [^\r]*/, `Nats-Schedule: @at ${new Date().toISOString()}`)
    .replace(/Nats-Msg-Id: [^\r]*\r\n/, '')
  const headers = { encode: () => Buffer.from(block) }
  const answer = await mesh.nats.request(subject, Buffer.from(data, 'base64'), {
    headers: headers as never,
    timeout: 5000,
  })
  expect(answer.json()).toMatchObject({ seq: expect.any(Number) })
}

test('a delayed event begins a trace of its own, linked to a mark in the trace of whoever asked', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const service = defineService('billing', {
    publishes: [billed],
    handlers: {
      bill: on(placed, { startFrom: 'all' }, (order, ctx) => ctx.publish(billed, order, { deliverIn: 300 })),
      see: on(billed, { startFrom: 'all' }, () => undefined),
    },
  })
  await mesh.start(service)
  await mesh.publish(placed, { orderId: 'o1' })
  await eventually(() => expect(spans('process order.billed')).toHaveLength(1))

  const [asked] = spans('process order.placed')
  const [mark] = spans('delay order.billed')
  const [publish] = spans('publish order.billed')
  const [process] = spans('process order.billed')
  expect(mark?.parentSpanContext?.spanId).toBe(asked?.spanContext().spanId)
  expectMoment(mark)
  expect(mark?.attributes['mesh.due']).toBe(publish?.attributes['mesh.due'])
  expect(publish?.parentSpanContext).toBeUndefined()
  expect(publish?.spanContext().traceId).not.toBe(asked?.spanContext().traceId)
  expect(publish?.links.map(({ context: linked }) => linked.spanId)).toEqual([mark?.spanContext().spanId])
  expect(process?.parentSpanContext?.spanId).toBe(publish?.spanContext().spanId)
})

test('what a run sends begins a trace, linked to and from the old one, and a later attempt stays in it', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const attempts: number[] = []
  const bill = on(placed, { startFrom: 'all', retry: retry({ minDelayMs: 1500, maxDelayMs: 1600 }) }, (order, ctx) => {
    attempts.push(ctx.attempt)
    if (attempts.length === 2) throw new Error('the bank is away')
    ctx.publish(billed, order)
  })
  const service = defineService('billing', { publishes: [billed], handlers: { bill } })
  const running = await mesh.start(service)
  await mesh.publish(placed, { orderId: 'o1' })
  await eventually(() => expect(attempts).toEqual([1]))
  const stored = (await getStored(mesh.nats, mesh.names.stream(orders), { seq: 1 }))!
  await provisionOperations(mesh)
  const place = { stream: mesh.names.stream(orders), epoch: 1, seq: 1, storedAt: '1' }
  const publishedAt = new Date(stored.time).toISOString()
  await sendRunMessage(
    mesh,
    {
      run: 'r1',
      service: 'billing',
      handler: 'bill',
      origin: { ...place, subject: stored.subject, publishedAt },
      headers: stored.pairs,
      record: mesh.names.runRecord(mesh.names.durable('billing', 'bill'), 'r1', place),
      expected: 0,
    },
    stored.payload,
  )
  await eventually(() => expect(attempts).toEqual([1, 1]))
  // It goes to the lane with the process, and comes to the next one.
  await running.stop()
  await mesh.start(service)
  await eventually(() => expect(attempts).toEqual([1, 1, 2]), { timeoutMs: 20_000 })
  await eventually(() => expect(spans('publish order.billed')).toHaveLength(2))

  const [publish] = spans('publish order.placed')
  const oldTrace = publish!.spanContext().traceId
  const marks = spans('replay order.placed')
  const marker = marks.find((span) => span.spanContext().traceId === oldTrace)!
  const first = marks.find((span) => span.spanContext().traceId !== oldTrace)!
  expect(marks).toHaveLength(2)
  expect(marker.parentSpanContext?.spanId).toBe(publish!.spanContext().spanId)
  expectMoment(marker)
  expectMoment(first)
  expect(marker.links.map((link) => link.context.spanId)).toEqual([first.spanContext().spanId])
  expect(first.parentSpanContext).toBeUndefined()
  expect(first.links.map((link) => link.context.spanId)).toEqual([publish!.spanContext().spanId])
  expect(first.attributes).toMatchObject({ 'mesh.run': 'r1', 'mesh.linked_trace': oldTrace })
  // Whoever has the records finds the trace without a store of traces.
  const claimed = (await getStored(mesh.nats, mesh.names.operations(), { seq: 1 }))!
  expect(JSON.parse(claimed.payload.toString())).toMatchObject({ kind: 'claimed', trace: first.spanContext().traceId })
  const id = publish!.attributes['messaging.message.id']
  // Files share a process: another one's service may still be at work.
  const attemptsAtIt = spans('process order.placed').filter((span) => span.attributes['messaging.message.id'] === id)
  const again = attemptsAtIt.filter((span) => span.spanContext().traceId !== oldTrace)
  expect(again.map((span) => span.parentSpanContext?.spanId)).toEqual(again.map(() => first.spanContext().spanId))
  expect(again.map((span) => span.attributes['mesh.attempt'])).toEqual([1, 2])
  const made = spans('publish order.billed').map((span) => span.spanContext().traceId)
  expect(made.toSorted()).toEqual([oldTrace, first.spanContext().traceId].toSorted())
})
