import { fileURLToPath } from 'node:url'
import { connectMesh, event, stream } from '@malha/mesh'
import { testServer } from '@malha/testing'
import { expect, test } from 'vitest'
import { z } from 'zod'

const file = (name: string): string => fileURLToPath(new URL(`tls/${name}.pem`, import.meta.url))
const caFile = file('ca')
const client = { caFile, certFile: file('client'), keyFile: file('client-key') }
const server = (verify: boolean): string => `tls {
  cert_file: "${file('server')}"
  key_file: "${file('server-key')}"
  ca_file: "${caFile}"
  verify: ${verify}
}`

const things = stream('THINGS', { subjects: ['thing.>'] })
const made = event('thing.made', { stream: things, schema: z.object({ id: z.string() }) })

test.each([
  ['TLS with an authority of one’s own', false, { caFile }],
  ['mTLS with a client certificate', true, client],
])('%s: connects, publishes, and comes back after the server was killed', async (_, verify, tls) => {
  await using nats = await testServer({ config: server(verify) })
  await using mesh = await connectMesh({ servers: nats.url, tls })
  await mesh.provision({ name: 'maker', version: '1', handlers: {}, replies: {}, publishes: [made], retired: [] })
  expect((await mesh.publish(made, { id: 'a' })).seq).toBe(1)
  await nats.restart()
  expect((await mesh.publish(made, { id: 'b' })).seq).toBe(2)
})

test('a server that wants a client certificate refuses who has none, and one of an unknown authority is not trusted', async () => {
  await using nats = await testServer({ config: server(true) })
  await expect(connectMesh({ servers: nats.url, tls: { caFile } })).rejects.toThrow('MESH_CONNECT_FAILED')
  await expect(connectMesh({ servers: nats.url })).rejects.toThrow('MESH_CONNECT_FAILED')
})
