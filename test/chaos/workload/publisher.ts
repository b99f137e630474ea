/**
 * Publishes the load at a steady rate (`RATE`), a share of each kind (`KIND=plain`), or what waits in a spool while the
 * broker is away (`KIND=spool`). To be killed, stopped and cut off. SIGUSR1 ends the load and leaves the process running.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connectMesh, meshOptions } from '@malha/mesh'
import { runMain } from '@malha/partner-client'
import { healthAddress, serveHealth, startTelemetry } from '@malha/telemetry'
import { recorderOf } from '../history/recorder.ts'
import { type KindName, publishesOf } from './kinds.ts'
import { paced } from './paced.ts'
import { publisherService } from './publisher-service.ts'
import { publishing } from './publishing.ts'

/** Under way at once. Fewer than the library's window, so that a broker that is away is felt here. */
const MOST_OPEN = 1000

const LOOK_MS = 50

const ended = new AbortController()
process.once('SIGUSR1', () => ended.abort())

const kind = process.env['KIND'] as KindName
// It brings delayed events too, where it may publish them.
const service = publisherService(kind)

await runMain(service.name, async (stopping) => {
  const recorder = recorderOf(process.env)
  const incarnation = `${process.env['CHAOS_PROCESS']}-${Math.floor(recorder.now()).toString(36)}`
  await using telemetry = startTelemetry({ service: service.name, version: '0.0.0', env: process.env })
  await using mesh = await connectMesh({ ...meshOptions(process.env), logger: telemetry.log })
  await using _health = await serveHealth({ ...healthAddress(process.env), mesh })
  const publish = publishing(mesh, recorder, incarnation)
  const load = paced(publishesOf(kind, publish, incarnation), {
    rate: Number(process.env['RATE']),
    mayBegin: () => publish.open < MOST_OPEN,
    signal: AbortSignal.any([stopping, ended.signal]),
  })
  const answered = async (): Promise<void> => {
    await load
    while (publish.open > 0) await sleep(LOOK_MS)
    recorder.record({ op: 'answered' })
  }
  await Promise.all([mesh.run(service, { signal: stopping }), answered()])
})
