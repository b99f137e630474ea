import { centerRegistered } from '@malha/contracts'
import { defineService, getStored, on } from '@malha/mesh'
import { eventually, testMesh } from '@malha/testing'
import { headers } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { fences, readText } from './pages.ts'

/** The page's `nats pub` command, taken apart as the shell and the command would. */
function publishExample(): { subject: string; headers: [string, string][]; payload: string } {
  const command = fences(readText('docs/reference/wire.md')).find(({ body }) => body.startsWith('nats pub'))!.body
  const quoted = [...command.matchAll(/'([^']*)'/g)].map((match) => match[1]!)
  const pairs = quoted.slice(1, -1).map((pair): [string, string] => {
    const colon = pair.indexOf(':')
    return [pair.slice(0, colon), pair.slice(colon + 1)]
  })
  return { subject: quoted[0]!, headers: pairs, payload: quoted.at(-1)! }
}

test('what the page publishes without our code reaches a handler, once however often it is sent', async () => {
  await using fixture = await testMesh()
  const { mesh, nats } = fixture
  const seen: unknown[] = []
  const service = defineService('reader', {
    handlers: {
      read: on(centerRegistered, { startFrom: 'all' }, (data, ctx) => void seen.push([ctx.id, ctx.key, data])),
    },
  })
  await using _running = await mesh.start(service)
  const example = publishExample()
  const block = headers()
  for (const [name, value] of example.headers) block.set(name, value)
  const subject = mesh.names.subject(example.subject)
  for (const duplicate of [undefined, true]) {
    const answer = await nats.request(subject, example.payload, { headers: block, timeout: 5000 })
    expect(answer.json()).toMatchObject({
      stream: mesh.names.stream('CENTERS'),
      seq: 1,
      ...(duplicate && { duplicate }),
    })
  }
  await eventually(() => expect(seen).toHaveLength(1))
  expect(seen).toEqual([['5f7c1b1e-6a0e-4d0a-9a38-1a4f6f0f4c11', 'c-1', JSON.parse(example.payload)]])
})

test('a message without headers becomes a dead letter with its bytes, as the page says', async () => {
  await using fixture = await testMesh()
  const { mesh, nats } = fixture
  const service = defineService('reader', {
    handlers: { read: on(centerRegistered, { startFrom: 'all' }, () => {}) },
  })
  await using _running = await mesh.start(service)
  await nats.request(mesh.names.subject('center.registered.4.c-1'), Buffer.from([0xff, 0xfe]), {
    timeout: 5000,
  })
  const durable = mesh.names.durable('reader', 'read')
  const letter = await eventually(async () => {
    const found = await getStored(nats, mesh.names.stream('DEAD_LETTERS'), {
      last_by_subj: mesh.names.subject(`dlq.${durable}.>`),
    })
    expect(found).toBeDefined()
    return found
  })
  expect(letter?.headers['malha-dlq-code']).toBe('MESH_UNDECODABLE')
  expect([...letter!.payload]).toEqual([0xff, 0xfe])
  expect(letter?.subject).toMatch(new RegExp(`^${mesh.names.subject(`dlq.${durable}`)}\\.[A-Z-]+\\.\\d{10}\\.1@\\d+$`))
})
