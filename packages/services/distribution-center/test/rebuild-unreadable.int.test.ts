import { eventually, testMesh } from '@malha/testing'
import { headers } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { find, recife, register } from './http-client.ts'
import { startScript, startService } from './service-process.ts'

/** A header whose name has a space: another client may write it, this one refuses to read it. */
function unreadable(): ReturnType<typeof headers> {
  const block = headers()
  return Object.assign(block, { encode: () => Buffer.from('NATS/1.0\r\na b: c\r\n\r\n') })
}

test('a registration whose headers no client can read does not end a rebuild', { timeout: 180_000 }, async () => {
  await using broker = await testMesh()
  await using service = await startService(broker)
  const { body } = await register(service.api, recife)
  await broker.nats.request(`${broker.namespace}.center.registered`, '{}', { headers: unreadable(), timeout: 5_000 })
  const second = await register(service.api, recife)
  for (const { id } of [body, second.body])
    await eventually(async () => expect((await find(service.api, id)).body.status).toBe('registered'), {
      timeoutMs: 60_000,
    })
  await using rebuild = await startScript('rebuild.ts', broker)
  expect(await rebuild.exited).toBe(0)
  expect(rebuild.lines.at(-1)).toMatchObject({ level: 'info', events: 3, centers: 2, unreadable: 1 })
})
