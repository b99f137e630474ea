/** A process that runs the load's handlers, as a service of one's own is run. To be killed, stopped and cut off. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { subscribe } from 'node:diagnostics_channel'
import { connectMesh, type HandlerContext, meshOptions, type StageEvent } from '@malha/mesh'
import { runMain } from '@malha/partner-client'
import { healthAddress, serveHealth, startTelemetry } from '@malha/telemetry'
import { recorderOf } from '../history/recorder.ts'
import type { Load } from './contracts.ts'
import { ledgerClient } from './ledger-client.ts'
import { loadService, type Outside, WITH_INBOX } from './service.ts'

const recorder = recorderOf(process.env)
/** Ids of what is in hand here: the stages of a delivery name only its place. */
const inHand = new Map<string, string>()
const placeOf = (handler: string, stream: string, seq: number): string => `${handler} ${stream} ${seq}`

subscribe('malha:delivery', (message) => {
  const { stage, service, handler, stream, seq } = message as StageEvent
  const place = placeOf(handler, stream, seq)
  const id = inHand.get(place)
  if (id === undefined) return
  const about = { handler: `${service}.${handler}`, id }
  if (stage === 'stored' && handler === WITH_INBOX) recorder.record({ op: 'handled', ...about })
  if (stage !== 'settled') return
  inHand.delete(place)
  recorder.record({ op: 'ack', ...about })
})

await runMain('load', async (stopping) => {
  await using telemetry = startTelemetry({ service: 'load', version: '0.0.0', env: process.env })
  const { log } = telemetry
  await using ledger = ledgerClient(process.env['LEDGER_URL'] ?? '')
  await using mesh = await connectMesh({ ...meshOptions(process.env), logger: log })
  await using _health = await serveHealth({ ...healthAddress(process.env), mesh })
  const write = (handler: string, idempotencyKey: string, data: Load, ctx: HandlerContext): Promise<void> => {
    const entry = {
      handler: `load.${handler}`,
      id: ctx.id,
      n: data.n,
      of: data.text.trim(),
      ...(data.key !== undefined && { key: data.key }),
    }
    return ledger.write(entry, { idempotencyKey, signal: ctx.signal })
  }
  const outside: Outside = {
    isMended: () => existsSync(process.env['MENDED_FILE'] ?? ''),
    begins(handler, { id, attempt, source }) {
      inHand.set(placeOf(handler, source.stream, source.seq), id)
      recorder.record({ op: 'delivery', handler: `load.${handler}`, id, attempt })
    },
    act: (handler, data, ctx) => write(handler, ctx.id, data, ctx),
    actAgain: (handler, data, ctx) => write(handler, randomUUID(), data, ctx),
  }
  await mesh.run(loadService(outside), { signal: stopping })
})
