import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { rules } from '@malha/deployment'
import { prometheusMetrics } from '@malha/telemetry'
import { expect, test } from 'vitest'
import { readText, root } from '../docs/pages.ts'
import { EXPORTER_METRICS, PROMETHEUS_METRICS } from './foreign-metrics.ts'
import { metricsOf } from './promql.ts'
import { dashboardQueries, type Query, ruleQueries, runbookQueries } from './read-queries.ts'

const alerts = rules().flatMap((group) => group.alerts)
const records = rules().flatMap(({ recordings }) => recordings.map(({ record }) => record))

/** As scraped: a histogram is three metrics. */
async function known(): Promise<Set<string>> {
  const page = readText('docs/reference/metrics.md')
  const ours = [...page.matchAll(/^\| `(\w+)` +\| (\w+)/gm)].map(([, name, kind]) => [name!, kind!] as const)
  const { body } = await prometheusMetrics({ service: 'any', version: '0.0.0' }).expose()
  const nodes = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name!, kind!] as const)
  // On the page in a sentence of its own.
  const http = ['http_server_request_duration_seconds', 'histogram'] as const
  const scraped = [...ours, ...nodes, http].flatMap(([name, kind]) =>
    kind === 'histogram' ? ['bucket', 'count', 'sum'].map((part) => `${name}_${part}`) : [name],
  )
  return new Set([...scraped, ...EXPORTER_METRICS, ...PROMETHEUS_METRICS, ...records])
}

test.each([
  ['rules', ruleQueries],
  ['dashboards', dashboardQueries],
  ['runbooks', runbookQueries],
] as const)('every query of the %s is PromQL on metrics that there are', async (_, queries: () => Query[]) => {
  const names = await known()
  expect(queries().length).toBeGreaterThan(40)
  const unknown = queries().flatMap(({ where, expr }) =>
    metricsOf(expr)
      .filter((name) => !names.has(name))
      .map((name) => `${where}: ${name}`),
  )
  expect(unknown).toEqual([])
})

test('a query that is no PromQL, or reads what it does not name, is found', () => {
  expect(() => metricsOf('sum by (a (b)')).toThrow(SyntaxError)
  expect(() => metricsOf('{job="a"}')).toThrow(SyntaxError)
  expect(metricsOf('sum by (a) (rate(b[5m])) / on (a) c:d')).toEqual(['b', 'c:d'])
})

test('every alert has a name of its own, whom it wakes, what it says, and a proof', () => {
  expect(alerts.length).toBeGreaterThan(40)
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
  for (const { alert, severity, summary, description, proof } of alerts) {
    expect(alert).toMatch(/^([A-Z][a-z]+)+$/)
    expect(['page', 'ticket']).toContain(severity)
    expect(summary.length).toBeLessThan(140)
    expect(description.endsWith('.')).toBe(true)
    expect(Object.keys(proof.series).length).toBeGreaterThan(0)
    const used = [...summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label!)
    expect(Object.keys(proof.labels)).toEqual(expect.arrayContaining(used))
  }
})

test('every alert has a runbook, every runbook has an alert, and the index lists all', () => {
  const pages = readdirSync(join(root, 'docs/runbooks')).filter((name) => name !== 'README.md')
  expect(pages.toSorted()).toEqual(alerts.map(({ alert }) => `${alert}.md`).toSorted())
  const index = readText('docs/runbooks/README.md')
  for (const { alert } of alerts) {
    expect(index).toContain(`[${alert}](${alert}.md)`)
    const headings = [...readText(`docs/runbooks/${alert}.md`).matchAll(/^#+ (.+)$/gm)].map(([, title]) => title)
    expect(headings).toEqual([alert, 'What it means', 'What to look at', 'What to do', 'When it is over'])
  }
})

test('a scale changes lengths of time alone', () => {
  const shape = (scale: number): string =>
    JSON.stringify(
      rules({ scale }).flatMap(({ alerts: all, recordings }) => [
        ...recordings,
        ...all.map((alert) => ({ ...alert, proof: undefined })),
      ]),
    )
      .replace(/(\[|offset |"for":")\d+(ms|s|m|h|d)/g, '$1T')
      .replace(/(_seconds:max|_oldest_seconds\)?|_lag_seconds\)?) > [\d.]+/g, '$1 > S')
      .replace(/(time\(\) [-+]) [\d.]+/g, '$1 S')
      .replace(/\* [\d.]+ > 50/g, '* S > 50')
      .replace(/le=~\\"[^"]*"/g, 'LE')
  expect(shape(1 / 60)).toBe(shape(1))
  expect(JSON.stringify(rules({ scale: 1 / 60 }))).not.toContain('[1h]')
})

test('what is generated is there, rules with their tests and dashboards', () => {
  for (const { name } of rules())
    for (const file of [`${name}.yaml`, `${name}_test.yaml`])
      expect(existsSync(join(root, 'deploy/generated/monitoring/rules', file))).toBe(true)
})
