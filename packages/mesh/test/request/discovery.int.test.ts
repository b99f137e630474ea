import { defineService, type Mesh, reply, request } from '@malha/mesh'
import { testMesh } from '@malha/testing'
import type { NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { pricing, quote } from './prices.ts'

/** Every answer of this namespace's services, as a NATS micro tool gathers them. */
async function ask(nats: NatsConnection, mesh: Mesh, subject: string): Promise<Record<string, unknown>[]> {
  const answers: Record<string, unknown>[] = []
  const all = await nats.requestMany(subject, '', { strategy: 'stall', stall: 500, maxWait: 5000 })
  for await (const answer of all) answers.push(answer.json())
  return answers.filter(({ name }) => String(name).startsWith(mesh.names.namespace))
}

test('each instance is found by the NATS micro protocol: ping, info and stats, of all, by name and by id', async () => {
  await using env = await testMesh()
  const { mesh, nats } = env
  const second = await env.connect({ name: 'second' })
  await mesh.start(pricing())
  await second.start(pricing())
  const name = `${mesh.names.namespace}_pricing`

  const pings = await ask(nats, mesh, '$SRV.PING')
  expect(pings).toHaveLength(2)
  expect(pings[0]).toMatchObject({ type: 'io.nats.micro.v1.ping_response', name, version: '0.0.0' })
  const ids = pings.map(({ id }) => String(id))
  expect(new Set(ids).size).toBe(2)

  expect(await ask(nats, mesh, `$SRV.PING.${name}`)).toHaveLength(2)
  expect(await ask(nats, mesh, `$SRV.PING.${name}.${ids[1]}`)).toMatchObject([{ id: ids[1] }])

  const [info] = await ask(nats, mesh, `$SRV.INFO.${name}.${ids[0]}`)
  expect(info).toEqual({
    type: 'io.nats.micro.v1.info_response',
    name,
    id: ids[0],
    version: '0.0.0',
    metadata: { 'malha.namespace': mesh.names.namespace, 'malha.connection': expect.any(String) as string },
    description: '',
    endpoints: [
      {
        name: 'quote',
        subject: mesh.names.subject('request.price.quote'),
        queue_group: 'q',
        metadata: {
          'malha.type': 'price.quote',
          'malha.schema-version': '1',
          'malha.streaming': 'false',
          'malha.content-type': 'application/json',
          'malha.errors': 'price.unknown',
        },
      },
    ],
  })

  for (let n = 0; n < 20; n++) await mesh.request(quote, { sku: n < 15 ? 'a' : 'none' }).catch(() => undefined)
  const stats = await ask(nats, mesh, `$SRV.STATS.${name}`)
  const endpoints = stats.map(({ endpoints }) => (endpoints as Record<string, unknown>[])[0]!)
  const sum = (of: string): number => endpoints.reduce((total, endpoint) => total + Number(endpoint[of]), 0)
  expect({ requests: sum('num_requests'), errors: sum('num_errors') }).toEqual({ requests: 20, errors: 5 })
  for (const endpoint of endpoints) {
    expect(endpoint).toMatchObject({ name: 'quote', queue_group: 'q' })
    const { num_requests, processing_time, average_processing_time } = endpoint as Record<string, number>
    expect(average_processing_time).toBe(Math.floor(processing_time! / num_requests!))
    expect(Number.isInteger(processing_time)).toBe(true)
  }
  expect(stats[0]).toMatchObject({ type: 'io.nats.micro.v1.stats_response' })
  expect(new Date(String(stats[0]!['started'])).toISOString()).toBe(stats[0]!['started'])
})

test('a service that stopped, or answers no requests, is not found, and a version that is not semver is told beside it', async () => {
  await using env = await testMesh()
  const { mesh, nats } = env
  const echo = request('echo.back', { schema: z.string(), reply: z.string() })
  const replies = { back: reply(echo, (text) => text) }
  const running = await mesh.start(defineService('echo', { handlers: {}, replies, version: '2026-11-20' }))
  await mesh.start(defineService('silent', { handlers: {} }))
  expect(await ask(nats, mesh, '$SRV.PING')).toMatchObject([
    { name: `${mesh.names.namespace}_echo`, version: '0.0.0', metadata: { 'malha.version': '2026-11-20' } },
  ])
  await running.stop()
  expect(await ask(nats, mesh, '$SRV.PING').catch(() => [])).toEqual([])
})
