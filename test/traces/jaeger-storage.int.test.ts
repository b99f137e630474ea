import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts, startClickHouse } from '@malha/stack'
import { eventually } from '@malha/testing'
import { describe, expect, test } from 'vitest'
import { findTool } from '../monitoring/binaries.ts'
import { deployFile, jaegerFiles, type JaegerPlace, jaegerPlaces } from './deployed.ts'
import { plantTrace } from './plants.ts'
import { sendSpans } from './send-spans.ts'
import { startDeployed } from './start-deployed.ts'
import { readTrace, type TraceSpan } from './trace.ts'

const bin = findTool('jaeger')
const COMPOSE = ['compose, memory', 'compose, badger', 'compose, clickhouse'] as const

describe.skipIf(bin === undefined)('Jaeger as it is deployed', () => {
  test('starts with the files of every storage, in compose and in Kubernetes', { timeout: 240_000 }, async () => {
    for (const place of jaegerPlaces) {
      await using scene = await openScene()
      await using jaeger = await scene.start(place)
      expect([place, await ask(jaeger.queryUrl, '/api/v3/services')]).toEqual([place, { services: [] }])
    }
  })

  test('keeps a trace over a restart, unless in memory', { timeout: 240_000 }, async () => {
    for (const place of COMPOSE) {
      await using scene = await openScene()
      const trace = journeyOf(3)
      {
        await using jaeger = await scene.start(place)
        await sendSpans(jaeger.otlpUrl, trace)
        await eventually(async () => expect(await readTrace(jaeger.queryUrl, trace[0]!.traceId)).toHaveLength(3))
      }
      await using again = await scene.start(place)
      const kept = await readTrace(again.queryUrl, trace[0]!.traceId)
      const expected = place.endsWith('memory') ? [] : trace
      expect([place, kept.toSorted((a, b) => a.name.localeCompare(b.name))]).toEqual([place, expected])
    }
  })

  test('shows how often, how long and with how many failures each handler ran, from ClickHouse alone', async () => {
    await using scene = await openScene()
    await using jaeger = await scene.start('compose, clickhouse')
    for (let failed = 0; failed < 4; failed++)
      await sendSpans(jaeger.otlpUrl, journeyOf(2, { kind: 'consumer', failed: failed === 0 }))
    const common = {
      service: 'planted',
      spanKind: 'consumer',
      groupByOperation: 'true',
      lookback: '3600000',
      step: '60000',
    }
    const query = new URLSearchParams({ ...common, endTs: String(Date.now() + 60_000), quantile: '0.95' })
    const read = async (of: string): Promise<Metric[]> =>
      (await ask<{ metrics: Metric[] }>(jaeger.queryUrl, `/api/metrics/${of}?${query.toString()}`)).metrics
    await eventually(async () => expect((await read('calls')).length).toBe(2), { timeoutMs: 20_000 })
    const [calls, errors, latencies] = await Promise.all(['calls', 'errors', 'latencies'].map(read))
    const byOperation = (metrics: readonly Metric[] | undefined): Record<string, number> =>
      Object.fromEntries(metrics!.map(({ labels, metricPoints }) => [operationOf(labels), valueOf(metricPoints)]))
    for (const operation of ['span 0', 'span 1']) {
      expect(byOperation(calls)[operation]).toBeCloseTo(4 / 60, 5)
      expect(byOperation(errors)[operation]).toBeCloseTo(1 / 4, 5)
      expect(byOperation(latencies)[operation]).toBeCloseTo(10, 1)
    }
  })
})

type Metric = {
  labels: { name: string; value: string }[]
  metricPoints: { gaugeValue: { doubleValue: number } }[]
}
const operationOf = (labels: Metric['labels']): string => labels.find(({ name }) => name === 'operation')!.value
const valueOf = (points: Metric['metricPoints']): number =>
  points.map(({ gaugeValue }) => gaugeValue.doubleValue).find((value) => value > 0)!

async function ask<T = unknown>(url: string, path: string): Promise<T> {
  const answer = await fetch(url + path)
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`)
  return JSON.parse(text) as T
}

/** So many spans of ten milliseconds, each a child of the one before. */
function journeyOf(count: number, more: Partial<TraceSpan> = {}): TraceSpan[] {
  const attributes = { 'mesh.attempt': 1 }
  return plantTrace(
    Array.from({ length: count }, (_, at) => ({ host: 'one', from: at * 20, to: at * 20 + 10, attributes, ...more })),
  )
}

type Running = { otlpUrl: string; queryUrl: string } & AsyncDisposable
interface Scene extends AsyncDisposable {
  start(place: JaegerPlace): Promise<Running>
}

/** A folder in place of each volume and secret, and a real ClickHouse where one is asked for. */
async function openScene(): Promise<Scene> {
  const opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-jaeger-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const password = join(folder, 'password')
  // The embedded engine has one user, without one, and makes no other; any other is refused.
  await writeFile(password, '')
  let clickhouse: Promise<string> | undefined
  const startDatabase = async (): Promise<string> => {
    const server = opened.use(await startClickHouse({ dataDir: join(folder, 'clickhouse') }))
    const made = await fetch(server.url, { method: 'POST', body: 'CREATE DATABASE jaeger ENGINE = Atomic' })
    if (!made.ok) throw new Error(await made.text())
    return new URL(server.url).host
  }
  const start = async (place: JaegerPlace): Promise<Running> => {
    const [otlp, grpcOtlp, query, grpc, health, metrics] = await freePorts(6)
    const isCompose = place.startsWith('compose')
    const ofStorage: Record<string, string> = place.endsWith('clickhouse')
      ? {
          [isCompose ? 'clickhouse:8123' : 'clickhouse-malha.clickhouse.svc.cluster.local:8123']: await (clickhouse ??=
            startDatabase()),
          'username: malha': 'username: default',
          ...(!isCompose && { '/var/run/secrets/clickhouse/password': password }),
        }
      : place.endsWith('badger')
        ? { [isCompose ? '/tmp/badger' : '/var/lib/jaeger']: join(folder, 'badger') }
        : {}
    const queryUrl = `http://127.0.0.1:${query}`
    const child = await startDeployed({
      bin: bin!,
      files: jaegerFiles[place],
      swap: {
        '0.0.0.0:13133': `127.0.0.1:${health}`,
        '0.0.0.0:16686': `127.0.0.1:${query}`,
        '0.0.0.0:16685': `127.0.0.1:${grpc}`,
        '/etc/jaeger/ui.json': deployFile(isCompose ? 'compose/jaeger/ui.json' : 'overlays/production/jaeger-ui.json'),
        ...(isCompose
          ? { '0.0.0.0:4318': `127.0.0.1:${otlp}` }
          : {
              '0.0.0.0:4317': `127.0.0.1:${grpcOtlp}`,
              'host: 0.0.0.0, port: 8888': `host: 127.0.0.1, port: ${metrics}`,
            }),
        ...ofStorage,
      },
      args: ['--feature-gates=storage.clickhouse'],
      env: { CLICKHOUSE_PASSWORD_FILE: password },
      readyUrl: `http://127.0.0.1:${health}/status`,
    })
    return {
      otlpUrl: `http://127.0.0.1:${otlp}`,
      queryUrl,
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    }
  }
  return { start, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
