import { createServer } from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { prometheusMetrics, serveHealth } from '../src/index.ts'

const metrics = prometheusMetrics({ service: 'orders', version: '1.0.0', node: false })

test('livez and readyz differ: a mesh that is away makes the process unready, not dead', async () => {
  const state = { ready: true, reasons: [] as string[] }
  await using server = await serveHealth({ port: 0, mesh: { health: () => state }, metrics })
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  state.ready = false
  state.reasons.push('NATS is disconnected')
  const answer = await fetch(`${server.url}/readyz`)
  expect(answer.status).toBe(503)
  expect(await answer.json()).toEqual({ ready: false, reasons: ['NATS is disconnected'] })
  expect((await fetch(`${server.url}/livez`)).status).toBe(200)
})

test('checks that answer, throw or hang each give their reason', async () => {
  await using server = await serveHealth({
    port: 0,
    checkTimeoutMs: 50,
    checks: {
      fine: () => {},
      empty: () => '',
      says: async () => 'read model is 20 s behind',
      throws: () => {
        throw new Error('boom')
      },
      hangs: () => new Promise(() => {}),
    },
  })
  const answer = await fetch(`${server.url}/readyz`)
  expect(answer.status).toBe(503)
  expect(await answer.json()).toEqual({
    ready: false,
    reasons: ['says: read model is 20 s behind', 'throws: boom', 'hangs: no answer within 50 ms'],
  })
})

test('metrics come as Prometheus text, or as OpenMetrics where asked for', async () => {
  await using server = await serveHealth({ port: 0, metrics })
  const text = await fetch(`${server.url}/metrics`)
  expect(text.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(await text.text()).toContain('mesh_build_info')
  const open = await fetch(`${server.url}/metrics`, { headers: { accept: 'application/openmetrics-text' } })
  expect(open.headers.get('content-type')).toMatch(/^application\/openmetrics-text; version=1.0.0/)
  expect(await open.text()).toMatch(/# EOF\n$/)
})

test('a taken port is an error that names it and the variable', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  await expect(serveHealth({ port })).rejects.toThrow(`127.0.0.1:${port} (EADDRINUSE); free it, or set HEALTH_PORT`)
  taken.close()
})
