import { once } from 'node:events'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { connectMesh, type Mesh, type RunningService } from '@malha/mesh'
import { serveHealth, startTelemetry, type Telemetry } from '@malha/telemetry'
import manifest from '../package.json' with { type: 'json' }
import { serviceConfig } from './config.ts'
import { buildApp } from './http/app.ts'
import { closeGracefully } from './http/close.ts'
import { isPassing } from './mesh/deadline.ts'
import { meshCenters } from './mesh/mesh-centers.ts'
import { openReadModel } from './read-model.ts'
import { distributionCenter } from './service.ts'
import type { ReadModel } from './status/read-model.ts'

const { version } = manifest
/** How long a broker that is there may take before registrations are taken without it. */
const BEGIN_MS = 3000
/** How long whoever has other instances to go to is told to do so, because nothing can be read here yet. */
const OPENING_MS = 8000
/** Tries of a start that fails of something else than a broker that is not ready. */
const MOST_FAULTS = 6
const MOST_WAIT_MS = 30_000

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())

await using telemetry = startTelemetry({ service: 'distribution-center', version, env: process.env })
try {
  await serve(telemetry)
} catch (err) {
  telemetry.log.fatal({ err }, 'distribution-center ended')
  process.exitCode = 1
}

/** Ends in this order: not ready, no new requests, those at work answered, handlers drained, connection closed. */
async function serve({ log, metrics }: Telemetry): Promise<void> {
  const config = serviceConfig(process.env)
  await using mesh = await connectMesh({ ...config.mesh, logger: log, metrics })
  let isListening = false
  let isOpening = false
  const lifecycle = (): string | undefined => {
    if (stopping.signal.aborted) return 'shutting down'
    if (isOpening) return 'the read model is not open yet'
    return isListening ? undefined : 'not listening yet'
  }
  await using _health = await serveHealth({ ...config.health, mesh, metrics, checks: { lifecycle } })

  // While the broker is away only registrations can be taken, and they are; nothing is read until it is there.
  let readModel: ReadModel | undefined
  const begin = async (): Promise<RunningService> => {
    readModel = await openReadModel(mesh)
    return await mesh.start(distributionCenter(readModel, version))
  }
  const starting = mesh.queued === undefined ? begin() : beginLater(mesh, begin, log)
  // Awaited below; when the process is told to stop first, nobody waits for it.
  starting.catch(() => undefined)
  const building = buildApp({
    centers: meshCenters({ mesh, readModel: () => readModel }),
    logger: log,
    metrics,
    version,
  })
  building.catch(() => undefined)
  if (mesh.queued === undefined) await starting
  else if (await isThere(mesh)) {
    isOpening = true
    const opened = Promise.race([starting, sleep(OPENING_MS, undefined, { ref: false })])
    void opened.catch(() => undefined).then(() => (isOpening = false))
    await Promise.race([opened, sleep(BEGIN_MS, undefined, { ref: false })])
  }
  const app = await building
  const url = await app.listen(config.http)
  isListening = true
  log.info({ url }, 'distribution-center serves')

  const ended = (async (): Promise<void> => (await starting).stopped)()
  ended.catch(() => undefined)
  if (!stopping.signal.aborted) await Promise.race([once(stopping.signal, 'abort'), ended])
  await closeGracefully(app)
  if (readModel) await (await starting).stop()
  if (!stopping.signal.aborted) throw new Error('the handlers ended by themselves; the lines before say why')
  log.info({}, 'distribution-center stopped')
}

/** Whether the broker was there when the mesh was made. */
async function isThere(mesh: Mesh): Promise<boolean> {
  const there = (async (): Promise<boolean> => {
    await mesh.connected()
    return true
  })()
  there.catch(() => false)
  return await Promise.race([there, setImmediate(false)])
}

/**
 * A broker that is there may lack a leader, for a while or for hours; the process takes registrations meanwhile. What does
 * not look like that is a fault, if it stays.
 */
async function beginLater<T>(mesh: Mesh, begin: () => Promise<T>, log: Telemetry['log']): Promise<T> {
  await mesh.connected()
  let faults = 0
  for (let attempt = 1; ; attempt++) {
    try {
      return await begin()
    } catch (err) {
      if (!isPassing(err)) faults++
      if (faults === MOST_FAULTS || stopping.signal.aborted) throw err
      log.warn({ err, attempt }, 'the broker is there, but not ready for this service; trying again')
      const waitMs = Math.min(500 * 2 ** attempt, MOST_WAIT_MS)
      await sleep(waitMs, undefined, { signal: stopping.signal })
    }
  }
}
