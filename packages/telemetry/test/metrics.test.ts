import { expect, test } from 'vitest'
import { prometheusMetrics } from '../src/metrics.ts'

const OPEN = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5'
const traceId = '0af7651916cd43dd8448eb211c80319c'
const make = () => prometheusMetrics({ service: 'orders', version: '1.0.0', node: false })

test('counters keep their name in the text format whatever was scraped before', async () => {
  const metrics = make()
  metrics.counter({ name: 'mesh_things_total', help: 'Things.', labels: ['kind'] }).add({ kind: 'a' }, 3)
  const open = await metrics.expose(OPEN)
  const text = await metrics.expose('text/plain')
  expect(open.contentType).toMatch(/^application\/openmetrics-text/)
  expect(open.body).toContain('# TYPE mesh_things counter')
  expect(open.body).toContain('mesh_things_total{kind="a"} 3')
  expect(open.body.endsWith('# EOF\n')).toBe(true)
  expect(text.contentType).toMatch(/^text\/plain/)
  expect(text.body).toContain('# TYPE mesh_things_total counter')
  expect(text.body).toContain('mesh_things_total{kind="a"} 3')
})

test('a trace id becomes the exemplar of its bucket in OpenMetrics, and only there', async () => {
  const metrics = make()
  const durations = metrics.histogram({ name: 'x_seconds', help: 'X.', labels: ['q'] })
  durations.observe({ q: '1' }, 0.03, traceId)
  durations.observe({ q: '1' }, 8)
  const open = await metrics.expose(OPEN)
  expect(open.body).toMatch(new RegExp(`x_seconds_bucket\\{le="0.05",q="1"\\} 1 # \\{trace_id="${traceId}"\\} 0.03 `))
  expect(open.body).toMatch(/x_seconds_bucket\{le="10",q="1"\} 2(\n| # \{\})/)
  expect((await metrics.expose()).body).not.toContain('trace_id')
})

test('the same name is the same metric, and another kind of it is refused', async () => {
  const metrics = make()
  const spec = { name: 'y_total', help: 'Y.', labels: [] }
  metrics.counter(spec).add({})
  metrics.counter(spec).add({}, 2)
  expect((await metrics.expose()).body).toContain('y_total 3')
  expect(() => metrics.gauge(spec)).toThrow('y_total')
})

test('mesh_build_info and Node’s own metrics are there', async () => {
  const metrics = prometheusMetrics({ service: 'orders', version: '1.0.0' })
  const { body } = await metrics.expose()
  expect(body).toContain(`mesh_build_info{service="orders",version="1.0.0",node="${process.versions.node}"} 1`)
  for (const name of [
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_p99_seconds',
    'nodejs_gc_duration_seconds',
  ])
    expect(body).toContain(name)
})
