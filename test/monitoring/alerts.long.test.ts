import { rules } from '@malha/deployment'
import { freePorts } from '@malha/stack'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { eventually, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { findTool, installTool } from './binaries.ts'
import { brokerLab, startExporter } from './lab/brokers.ts'
import type { Lab } from './lab/fault.ts'
import { handlerLab } from './lab/handlers.ts'
import { messageLab, notifierLab } from './lab/messages.ts'
import { processLab } from './lab/processes.ts'
import { liveMetrics, metricsRead } from './live-metrics.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'

/** An hour is a minute. */
const SCALE = 1 / 60
const WITHIN = { timeoutMs: 300_000, intervalMs: 500 }

/** Metrics of parts that do not run here. */
const ELSEWHERE = /^(mesh_(archive|outbox|projection|sagas)|http_server)_/

/** Proved on samples by promtool alone. */
const NOT_DRIVEN: Readonly<Record<string, string>> = {
  SpoolDead: 'what was refused for good stays in the file',
  OutboxOld: 'needs a PostgreSQL',
  OutboxDead: 'needs a PostgreSQL',
  SagasStuck: 'a saga is stuck only after minutes',
  ProjectionHalted: 'its code would have to be replaced while it runs',
  ArchiveBehind: 'needs a ClickHouse',
  ArchiveRunningOut: 'needs a ClickHouse',
  ArchiveLosingSoon: 'needs a ClickHouse',
  ArchiveWithoutWriter: 'needs a ClickHouse',
  ArchiveGap: 'needs a ClickHouse',
  ArchiveDeadLetters: 'needs a ClickHouse',
  CredentialsEndSoon: 'files are read for it every five minutes',
  MeshAbsent: 'needs a Prometheus of its own: the test below',
  JetStreamMetricsAbsent: 'needs a Prometheus of its own: the test below',
  StreamWithoutLeader: 'needs a cluster',
  FreshnessBudgetBurnsFast: 'what has been late stays so for its window, on a machine that is busy with the others',
  FreshnessBudgetBurnsSlow: 'what has been late stays so for its window, on a machine that is busy with the others',
}
const OF_BROKERS = rules()
  .find(({ name }) => name === 'jetstream')!
  .alerts.map(({ alert }) => alert)

test('each alert fires by a real fault, and ends when that is mended, in a sixtieth of the time', async () => {
  const bin = findTool('prometheus') ?? (await installTool('prometheus'))
  const exporter = findTool('prometheus-nats-exporter')
  await using server = await testServer()
  await using opened = new AsyncDisposableStack()
  const labs: Lab[] = [
    opened.use(await handlerLab(server.url)),
    opened.use(await messageLab(server.url)),
    opened.use(await notifierLab(server.url, 'refuses')),
    opened.use(await notifierLab(server.url, 'is away')),
    opened.use(await processLab(server.url)),
    ...(exporter ? [opened.use(await brokerLab(exporter, server))] : []),
  ]
  const targets = { malha: labs.flatMap((lab) => lab.targets) }
  await using prometheus = await startPrometheus({ bin, targets, scale: SCALE })
  const faults = labs.flatMap((lab) => lab.faults)
  const driven = faults
    .flatMap(({ alerts }) => alerts)
    .filter((name) => exporter !== undefined || !OF_BROKERS.includes(name))
  const all = rules().flatMap(({ alerts }) => alerts.map(({ alert }) => alert))
  const passed = all.filter((name) => !exporter && OF_BROKERS.includes(name))
  expect([...new Set([...driven, ...Object.keys(NOT_DRIVEN), ...passed])].toSorted()).toEqual(all.toSorted())
  await eventually(async () => (await prometheus.query('up')).length === targets.malha.length)

  const live = await liveMetrics(await upNow(prometheus))
  const missing = metricsRead({ brokers: exporter !== undefined }).filter(
    (name) => !live.has(name) && !ELSEWHERE.test(name),
  )
  expect(missing).toEqual([])

  const seen = new Set<string>()
  const watch = async (): Promise<string[]> => {
    for (const name of await prometheus.firing()) seen.add(name)
    return driven.filter((name) => !seen.has(name))
  }
  const begun = Promise.all(faults.map((fault) => fault.begin()))
  await eventually(async () => expect(await watch()).toEqual([]), WITHIN)
  await begun
  await Promise.all(faults.map((fault) => fault.end()))
  await eventually(async () => {
    const firing = await prometheus.firing()
    expect(driven.filter((name) => firing.has(name))).toEqual([])
  }, WITHIN)
})

test('that nothing is seen at all is told, of processes and of brokers, until something is', async () => {
  const bin = findTool('prometheus') ?? (await installTool('prometheus'))
  const exporter = findTool('prometheus-nats-exporter')
  const ports = await freePorts(2)
  const targets = { malha: ports.map((port) => `127.0.0.1:${port}`) }
  await using prometheus = await startPrometheus({ bin, targets, scale: SCALE })
  const absent = ['JetStreamMetricsAbsent', 'MeshAbsent']
  await eventually(async () => expect([...(await prometheus.firing())].toSorted()).toEqual(absent), WITHIN)
  const metrics = prometheusMetrics({ service: 'first', version: '1.0.0' })
  await using _health = await serveHealth({ port: ports[0]!, metrics })
  await using server = await testServer()
  await using opened = new AsyncDisposableStack()
  if (exporter) opened.use(await startExporter(exporter, server.monitorUrl, ports[1]))
  const left = exporter ? [] : ['JetStreamMetricsAbsent']
  await eventually(async () => {
    const firing = await prometheus.firing()
    expect(absent.filter((name) => firing.has(name))).toEqual(left)
  }, WITHIN)
})

/** Which targets answer: some processes are started by their fault. */
async function upNow(prometheus: Prometheus): Promise<string[]> {
  return (await prometheus.query('up == 1')).map(({ metric }) => metric['instance']!)
}
