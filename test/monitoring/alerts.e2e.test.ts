import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { jetstream } from '@nats-io/jetstream'
import { describe, expect, test } from 'vitest'
import { registerCenters } from '../kills/centers.ts'
import { setFault } from '../kills/evidence.ts'
import { type ReferenceMesh, referenceMesh } from '../kills/reference-mesh.ts'
import { findTool } from './binaries.ts'
import { liveMetrics, metricsRead } from './live-metrics.ts'
import { type ActiveAlert, type Prometheus, startPrometheus } from './prometheus.ts'

const bin = findTool('prometheus')
const SERVICES = ['distribution-center', 'provider', 'city-registration'] as const
/** A quarter of an hour is three seconds. */
const SCALE = 1 / 300
const ALERTS = ['BreakerOpenLong', 'DeadLettersArriving', 'HandlerPausedLong', 'TargetDown']
/** Metrics of parts that do not run here. */
const ELSEWHERE = /^mesh_(archive|notifications|outbox|projection|sagas)_/
const LASTING = ['BreakerOpenLong', 'HandlerPausedLong', 'TargetDown']
const WITHIN = { timeoutMs: 60_000, intervalMs: 250 }
const paused = { service: 'provider', handler: 'maas', who: 'on-call' }

describe.skipIf(bin === undefined)('alerts of a running mesh', () => {
  test('fire while a real fault lasts, and end with it', { timeout: 180_000 }, async () => {
    await using mesh = await referenceMesh({ services: SERVICES })
    const targets = { malha: SERVICES.map((name) => new URL(mesh.healthUrl(name)).host) }
    await using prometheus = await startPrometheus({ bin: bin!, targets, scale: SCALE })
    const line = await mesh.connect('operator', { topology: 'none' })
    using operations = await openOperations(line)
    await registerCenters(mesh, 'before', 5)
    await eventually(async () => (await prometheus.query('mesh_build_info')).length === SERVICES.length, WITHIN)
    expect(await firingOf(prometheus)).toEqual(new Map())
    const live = await liveMetrics(targets.malha)
    const missing = metricsRead({ brokers: false }).filter((name) => !live.has(name) && !ELSEWHERE.test(name))
    expect(missing).toEqual([])

    const breaking = breakAll(mesh)
    await operations.handlers.pause({ ...paused, reason: 'their database moves' })
    // The one on letters lasts a second at this scale, so what was seen is kept.
    const firing = new Map<string, ActiveAlert>()
    await eventually(async () => {
      for (const [name, alert] of await firingOf(prometheus)) firing.set(name, alert)
      return firing.size === ALERTS.length
    }, WITHIN)
    await breaking
    expect([...(await firingOf(prometheus)).keys()]).toEqual(expect.arrayContaining(LASTING))
    expect(firing.get('BreakerOpenLong')!.labels).toMatchObject({ service: 'provider', handler: 'senninha' })
    expect(firing.get('HandlerPausedLong')!.annotations['summary']).toContain('provider/maas')
    expect(firing.get('TargetDown')!.labels['instance']).toBe(targets.malha[2])
    for (const [name, { annotations }] of firing)
      expect(annotations['runbook_url']).toMatch(new RegExp(`/runbooks/${name}\\.md$`))

    mesh.services.get('city-registration')!.kill('SIGCONT')
    await setFault(mesh, 'senninha', { mode: 'up' })
    await operations.handlers.resume(paused)
    await eventually(async () => expect(await firingOf(prometheus)).toEqual(new Map()), WITHIN)
  })
})

/** A partner is away, an event is none, and a process hangs. */
async function breakAll(mesh: ReferenceMesh): Promise<void> {
  await setFault(mesh, 'senninha', { mode: 'down' })
  await registerCenters(mesh, 'broken', 30)
  await eventually(async () => {
    await jetstream(mesh.watch).publish('center.registered.0.nobody', 'no JSON at all')
    return true
  })
  mesh.services.get('city-registration')!.kill('SIGSTOP')
}

/** Those of the four that fire: others may, as one fault has many signs. */
async function firingOf(prometheus: Prometheus): Promise<Map<string, ActiveAlert>> {
  const firing = (await prometheus.active()).filter(({ state }) => state === 'firing')
  return new Map(
    firing.flatMap((alert) =>
      ALERTS.includes(alert.labels['alertname']!) ? [[alert.labels['alertname']!, alert]] : [],
    ),
  )
}
