import { defineService, event, on, Reject, retry, stream } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { startTelemetry } from '@malha/telemetry'
import { eventually } from '@malha/testing'
import { headers } from '@nats-io/nats-core'
import { trace } from '@opentelemetry/api'
import { expect, it } from 'vitest'
import { CARD, payment, PIN, taken } from '../../packages/operations/test/redaction/payments.ts'
import { startCollector } from '../../packages/telemetry/test/collector.ts'
import { deployedServer } from '../deploy/deployed-server.ts'

const receipts = stream('RECEIPTS', { subjects: ['receipt.>'] })
/** What a handler publishes: with what is sensitive in it, too. */
const receipt = event('receipt.made', { stream: receipts, schema: taken.schema, key: ({ id }) => id })

const FORGED = { ...payment, id: 'p-2', cents: 1, card: `forged ${CARD}` }

it('no span that is exported has a value that its contract marks: of what is published, consumed, retried, refused, dead, redriven', async () => {
  await using collector = await startCollector()
  const logged: string[] = []
  await using telemetry = startTelemetry({
    service: 'bank',
    version: '1.0.0',
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, LOG_LEVEL: 'debug' },
    logTo: { write: (line: string) => logged.push(line) },
  })
  {
    let isMended = false
    const seen: number[] = []
    const bank = defineService('bank', {
      publishes: [taken, receipt],
      handlers: {
        book: on(taken, { startFrom: 'all', retry: retry({ attempts: 3, minDelayMs: 10 }) }, (paid, ctx) => {
          seen.push(ctx.attempt)
          if (ctx.attempt === 1) throw new Error('not yet')
          if (!isMended) throw new Reject('it is negative')
          ctx.publish(receipt, { ...paid, cents: 5 })
        }),
        count: on(taken, { startFrom: 'all', effects: 'once' }, (paid, ctx) =>
          paid.cents === 1 ? undefined : ctx.publish(receipt, { ...paid, id: `${paid.id}-again` }),
        ),
      },
    })
    await using server = await deployedServer([bank])
    const mesh = await server.connect('bank', { logger: telemetry.log })
    const running = await mesh.start(bank)
    await mesh.publish(taken, payment)
    // Refused before it is sent, and what somebody else sent, who is not as careful.
    await expect(mesh.publish(taken, FORGED)).rejects.toThrow('MESH_INVALID_PAYLOAD')
    for (const [id, payload] of [
      ['wrong', JSON.stringify(FORGED)],
      ['broken', `{"pin": x${PIN}, "card": "${CARD}"`],
    ] as const) {
      const head = headers()
      const said = { specversion: '1.0', id, type: taken.type, source: '/other', partitionkey: 'p-2' }
      for (const [name, value] of Object.entries(said)) head.set(`ce-${name}`, value)
      await mesh.nats.request(mesh.names.subject('payment.taken.0.p-2'), payload, { headers: head, timeout: 5000 })
    }
    using operations = await openOperations(await server.connect('operator', { logger: telemetry.log }))
    // Three of one handler, two of the other.
    await eventually(async () => {
      await operations.letters.refresh()
      expect(operations.letters.list().total).toBe(5)
    })
    isMended = true
    const { id } = await operations.runs.redrive({ filter: {}, who: 'ana' })
    expect(await operations.runs.work(id, { who: 'ana' })).toMatchObject({ counts: { sent: 5, ok: 1, failed: 4 } })
    expect(seen).toEqual([1, 2, 1, 2])
    await running.stop()
  }
  await telemetry[Symbol.asyncDispose]()
  // Nothing is left behind for others in this process.
  expect(trace.getTracer('test').startSpan('after').isRecording()).toBe(false)

  const names = new Set(collector.spans.map(({ name }) => name))
  for (const name of ['publish payment.taken', 'process payment.taken', 'publish receipt.made'])
    expect([...names]).toContain(name)
  const said = JSON.stringify(collector.spans)
  for (const code of ['MESH_SCHEMA_MISMATCH', 'MESH_UNDECODABLE', 'MESH_REJECTED', 'exception.stacktrace'])
    expect(said).toContain(code)
  for (const text of [said, logged.join('\n')]) expect(text).not.toMatch(/4111-1|0815-p|forged/)
})
