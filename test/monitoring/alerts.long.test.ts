import { rules } from '@malha/deployment'
import { freePorts } from '@malha/stack'
import { prometheusMetrics, serveHealth } from '@malha/telemetry'
import { eventually, testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { findTool, installTool } from './binaries.ts'
import { drive, SCALE, WITHIN } from './drive.ts'
import { archiveLab } from './lab/archive.ts'
import { brokerLab, startExporter } from './lab/brokers.ts'
import { clusterLab } from './lab/cluster.ts'
import { credentialsLab } from './lab/credentials.ts'
import type { Lab } from './lab/fault.ts'
import { handlerLab } from './lab/handlers.ts'
import { latenessLab } from './lab/lateness.ts'
import { messageLab, notifierLab } from './lab/messages.ts'
import { outboxLab } from './lab/outbox.ts'
import { patternLab } from './lab/patterns.ts'
import { processLab } from './lab/processes.ts'
import { refusedSpoolLab, spoolLab } from './lab/spool.ts'
import { liveMetrics, metricsRead } from './live-metrics.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'

/** Which alerts each of these tests drives. */
const WORK = [
  'BreakerOpenLong',
  'CredentialsEndSoon',
  'DeadLettersArriving',
  'DelaysFailing',
  'EventLoopSlow',
  'EventsAboutToExpire',
  'EventsExpired',
  'HandlerCallsLeaked',
  'HandlerLagGrowing',
  'HandlerLagging',
  'HandlerPausedLong',
  'HandlerRetryStorm',
  'HandlerSaturated',
  'HandlerStalled',
  'KeysBehindLetters',
  'KeysHeldLong',
  'NotificationsOwed',
  'NotificationsRefused',
  'ProcessRestarting',
  'PublishFailing',
  'ReplyCallsLeaked',
  'RequestsFailing',
  'SpansDropped',
  'SuccessBudgetBurnsFast',
  'SuccessBudgetBurnsSlow',
  'TargetDown',
]
const BROKERS = ['ConsumerUnattended', 'JetStreamApiErrors', 'JetStreamStorageFull', 'SlowConsumers', 'StreamNearLimit']
const STORES = [
  'ArchiveBehind',
  'ArchiveDeadLetters',
  'ArchiveGap',
  'ArchiveLosingSoon',
  'ArchiveRunningOut',
  'ArchiveWithoutWriter',
  'OutboxDead',
  'OutboxOld',
  'ProjectionHalted',
  'SagasStuck',
  'SpoolDead',
  'SpoolFilling',
  'SpoolOld',
]
const CLUSTER = ['StreamWithoutLeader']
const LATENESS = ['FreshnessBudgetBurnsFast', 'FreshnessBudgetBurnsSlow']
const ABSENT = ['JetStreamMetricsAbsent', 'MeshAbsent']

/** Metrics of parts that are seen in another of these tests, or by the end-to-end test of the reference mesh. */
const OF_STORES = /^mesh_(archive|outbox|projection|sagas)_/
const ELSEWHERE = /^http_server_/

const exporter = findTool('prometheus-nats-exporter')
const prometheusBin = async (): Promise<string> => findTool('prometheus') ?? (await installTool('prometheus'))

test('no alert is left that no fault drives', () => {
  const driven = [WORK, BROKERS, STORES, CLUSTER, LATENESS, ABSENT].flat()
  expect(driven.toSorted()).toEqual(
    rules()
      .flatMap(({ alerts }) => alerts.map(({ alert }) => alert))
      .toSorted(),
  )
})

test('each alert on handlers, messages, processes and brokers fires by a real fault, and ends when that is mended', async () => {
  await using server = await testServer()
  await using opened = new AsyncDisposableStack()
  const labs: Lab[] = [
    opened.use(await handlerLab(server.url)),
    opened.use(await messageLab(server.url)),
    opened.use(await notifierLab(server.url, 'refuses')),
    opened.use(await notifierLab(server.url, 'is away')),
    opened.use(await processLab(server.url)),
    opened.use(await credentialsLab()),
    ...(exporter ? [opened.use(await brokerLab(exporter, server))] : []),
  ]
  const alerts = [...WORK, ...(exporter ? BROKERS : [])]
  const driven = await drive({ bin: await prometheusBin(), labs, alerts }, async (prometheus) => {
    const live = await liveMetrics(await upNow(prometheus))
    const read = metricsRead({ brokers: exporter !== undefined })
    expect(read.filter((name) => !live.has(name) && !OF_STORES.test(name) && !ELSEWHERE.test(name))).toEqual([])
  })
  expect(driven).toEqual(alerts)
})

test('so does each on the archive, outboxes, spools, sagas and projections', async () => {
  await using server = await testServer()
  await using opened = new AsyncDisposableStack()
  const labs: Lab[] = [
    opened.use(await archiveLab(server.url)),
    opened.use(await outboxLab(server.url)),
    opened.use(await patternLab(server.url)),
    opened.use(await spoolLab()),
    opened.use(await refusedSpoolLab()),
  ]
  const driven = await drive({ bin: await prometheusBin(), labs, alerts: STORES }, async (prometheus) => {
    const live = await liveMetrics(await upNow(prometheus))
    expect(metricsRead({ brokers: false }).filter((name) => OF_STORES.test(name) && !live.has(name))).toEqual([])
  })
  expect(driven).toEqual(STORES)
})

test('events that are begun late burn the budget of freshness until enough of all are in time', async () => {
  await using server = await testServer()
  await using lab = await latenessLab(server.url)
  expect(await drive({ bin: await prometheusBin(), labs: [lab], alerts: LATENESS })).toEqual(LATENESS)
})

test.skipIf(exporter === undefined)('a stream whose servers are gone but for one has no leader', async () => {
  await using lab = await clusterLab(exporter!)
  expect(await drive({ bin: await prometheusBin(), labs: [lab], alerts: CLUSTER })).toEqual(CLUSTER)
})

test('that nothing is seen at all is told, of processes and of brokers, until something is', async () => {
  const ports = await freePorts(2)
  const targets = { malha: ports.map((port) => `127.0.0.1:${port}`) }
  await using prometheus = await startPrometheus({ bin: await prometheusBin(), targets, scale: SCALE })
  await eventually(async () => expect([...(await prometheus.firing())].toSorted()).toEqual(ABSENT), WITHIN)
  const metrics = prometheusMetrics({ service: 'first', version: '1.0.0' })
  await using _health = await serveHealth({ port: ports[0]!, metrics })
  await using server = await testServer()
  await using opened = new AsyncDisposableStack()
  if (exporter) opened.use(await startExporter(exporter, server.monitorUrl, ports[1]))
  const left = exporter ? [] : ['JetStreamMetricsAbsent']
  await eventually(async () => {
    const firing = await prometheus.firing()
    expect(ABSENT.filter((name) => firing.has(name))).toEqual(left)
  }, WITHIN)
})

/** Which targets answer: some processes are started by their fault. */
async function upNow(prometheus: Prometheus): Promise<string[]> {
  return (await prometheus.query('up == 1')).map(({ metric }) => metric['instance']!)
}
