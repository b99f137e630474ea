import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { defineService, event, type HandlerOptions, minutes, noMetrics, on, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { recordSpans } from '../support/recorded-spans.ts'

const exporter = recordSpans()
/** Its window is short, so that a test can publish an event twice. */
const orders = stream('ORDERS', { subjects: ['order.>'], duplicateWindowMs: 100 })
const schema = z.object({ orderId: z.string() })
const placed = event('order.placed', { stream: orders, schema, key: (order) => order.orderId })
const billed = event('order.billed', { stream: orders, schema, key: (order) => order.orderId })

const spans = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name)
const traceOf = (span: ReadableSpan): string => span.spanContext().traceId

/** Of the messages of one stream, as the server names it: files share a process, and another one's service may be at work. */
const processedOf = (stream: string): ReadableSpan[] =>
  spans('process order.placed').filter((span) =>
    String(span.attributes['messaging.message.id']).startsWith(`${stream}:`),
  )

/** Spans in the order in which they ended. */
type Seen = { counted: Record<string, number>; calls: number; processed: ReadableSpan[]; outputs: ReadableSpan[] }

/** One order handled twice, the second time as a message of its own. */
async function handleTwice(options: HandlerOptions): Promise<Seen> {
  const counted: Record<string, number> = {}
  const counter: typeof noMetrics.counter = ({ name }) => ({
    add(labels, value = 1) {
      const key = [name, ...Object.values(labels)].join(' ')
      counted[key] = (counted[key] ?? 0) + value
    },
  })
  await using env = await testMesh({ metrics: { ...noMetrics, counter } })
  const { mesh } = env
  const processed = (): ReadableSpan[] => processedOf(mesh.names.stream(orders))
  let calls = 0
  const service = defineService('billing', {
    publishes: [billed],
    handlers: {
      bill: on(placed, { startFrom: 'all', ...options }, (order, ctx) => {
        calls += 1
        ctx.publish(billed, order)
      }),
    },
  })
  await mesh.start(service)
  await mesh.publish(placed, { orderId: 'o1' }, { id: 'p1' })
  await eventually(() => expect(processed()).toHaveLength(1))
  await eventually(async () => {
    expect((await mesh.publish(placed, { orderId: 'o1' }, { id: 'p1' })).duplicate).toBe(false)
  })
  await eventually(() => expect(processed().length).toBeGreaterThan(1))
  const traces = new Set(processed().map(traceOf))
  const outputs = spans('publish order.billed').filter((span) => traces.has(traceOf(span)))
  return { counted, calls, processed: processed(), outputs }
}

test('effects once: a second run is counted, its span says so, and so does that of the output that is not stored', async () => {
  const { counted, processed, outputs } = await handleTwice({ effects: 'once' })
  expect(counted['mesh_repeated_messages_total billing bill marker']).toBe(1)
  expect(counted['messaging_client_sent_messages_total order.billed ok']).toBe(1)
  const [first, second] = processed
  expect(first?.attributes['mesh.repeated_by']).toBeUndefined()
  expect(second?.attributes['mesh.repeated_by']).toBe('marker')
  const [sent, withheld] = outputs
  expect(sent?.attributes['messaging.message.id']).toMatch(/_ORDERS:\d+$/)
  expect(withheld?.attributes).toMatchObject({ 'mesh.repeated': true })
  expect(withheld?.attributes['messaging.message.id']).toBeUndefined()
})

test('inbox: a message that is passed over is counted, and its span says so', async () => {
  const { counted, calls, processed, outputs } = await handleTwice({ inbox: { keepMs: minutes(2) } })
  expect(calls).toBe(1)
  expect(counted['mesh_repeated_messages_total billing bill inbox']).toBe(1)
  expect(processed[1]?.attributes['mesh.repeated_by']).toBe('inbox')
  expect(outputs).toHaveLength(1)
})
