import { defineService, event, on, Reject, retry, stream } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { z } from 'zod'

const bulk = stream('BULK', { subjects: ['bulk.>'] })
const arrived = event('bulk.arrived', { stream: bulk, schema: z.object({ text: z.string() }) })
const MAX_PAYLOAD = 1024 * 1024

test('the largest event that can be published leaves room for its dead letter, stack and long reason included', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const reason = '🚚'.repeat(3000)
  const service = defineService('intake', {
    handlers: {
      reject: on(arrived, { startFrom: 'all' }, () => {
        throw new Reject(reason)
      }),
    },
  })
  await mesh.start(service)
  await mesh.publish(arrived, { text: 'x'.repeat(MAX_PAYLOAD - 17_000) })
  await expect(mesh.publish(arrived, { text: 'x'.repeat(MAX_PAYLOAD - 16_000) })).rejects.toThrow(
    'MESH_PAYLOAD_TOO_LARGE',
  )

  const letter = await eventually(() => newestLetter(mesh))
  expect(letter.data.length).toBeGreaterThan(MAX_PAYLOAD - 17_000)
  expect(letter.header.get('malha-dlq-stack')).not.toBe('')
  expect(decodeURIComponent(letter.header.get('malha-dlq-reason'))).toContain('🚚🚚🚚')
})

test('an event of another client that fills max_payload is retried, and dies with a letter that says what it leaves out', async () => {
  await using env = await testMesh()
  const { mesh } = env
  let attempts = 0
  const service = defineService('intake', {
    handlers: {
      fail: on(arrived, { startFrom: 'all', retry: retry({ attempts: 2, minDelayMs: 50, maxDelayMs: 50 }) }, () => {
        attempts++
        throw new Error('never')
      }),
    },
  })
  await mesh.start(service)
  const wire = headers()
  for (const [name, value] of Object.entries({ id: 'i1', source: '/other', type: arrived.type, specversion: '1.0' }))
    wire.set(`ce-${name}`, value)
  const payload = JSON.stringify({ text: 'x'.repeat(MAX_PAYLOAD - 140) })
  await mesh.nats.request(mesh.names.subject(arrived.type), payload, { headers: wire, timeout: 5000 })

  const letter = await eventually(() => newestLetter(mesh))
  expect(attempts).toBe(2)
  expect(letter.header.get('malha-dlq-payload')).toBe('left-out')
  expect(letter.header.get('malha-dlq-seq')).toBe('1')
})

test('headers that leave no room for a letter are refused here, and from another client left out of it', async () => {
  await using env = await testMesh()
  const { mesh } = env
  const service = defineService('intake', {
    handlers: {
      reject: on(arrived, { startFrom: 'all' }, () => {
        throw new Reject('not this one')
      }),
    },
  })
  await mesh.start(service)
  const long = { 'x-a': 'x'.repeat(60_000) }
  await expect(mesh.publish(arrived, { text: 'x' }, { headers: long })).rejects.toThrow('MESH_PAYLOAD_TOO_LARGE')

  const wire = headers()
  for (const [name, value] of Object.entries({ id: 'i1', source: '/other', type: arrived.type, specversion: '1.0' }))
    wire.set(`ce-${name}`, value)
  wire.set('x-a', 'x'.repeat(65_000))
  const payload = JSON.stringify({ text: 'x' })
  await mesh.nats.request(mesh.names.subject(arrived.type), payload, { headers: wire, timeout: 5000 })
  const letter = await eventually(() => newestLetter(mesh))
  expect(['headers', 'payload', 'seq'].map((name) => letter.header.get(`malha-dlq-${name}`))).toEqual([
    'left-out',
    '',
    '1',
  ])
  expect(letter.header.get('ce-id')).toBe('i1')
  expect(new TextDecoder().decode(letter.data)).toBe(payload)
})

type Mesh = Awaited<ReturnType<typeof testMesh>>['mesh']

async function newestLetter(mesh: Mesh) {
  const jsm = await jetstreamManager(mesh.nats)
  const letter = await jsm.streams.getMessage(mesh.names.stream('DEAD_LETTERS'), {
    last_by_subj: mesh.names.subject('dlq.>'),
  })
  if (!letter) throw new Error('no letter yet')
  return letter
}
