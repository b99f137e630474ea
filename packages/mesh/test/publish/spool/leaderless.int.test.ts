import { connect, type NatsConnection } from '@nats-io/transport-node'
import { connectMesh } from '@malha/mesh'
import { testServer } from '@malha/testing'
import { expect, onTestFinished, test } from 'vitest'
import { linesOf, order, placed, tempFolder } from './spool-kit.ts'

/** A server on which a test answers for JetStream, as a cluster without leaders does. */
const WITHOUT = {
  config: `accounts { A { users [{ user: a, password: a }], mappings { "$JS.API.>": "api.>" } } }
no_auth_user: a`,
}

async function connected(servers: string): Promise<NatsConnection> {
  const nc = await connect({ servers })
  onTestFinished(() => nc.close())
  return nc
}

const NO_META_LEADER = {
  error: { code: 503, err_code: 10008, description: 'JetStream system temporarily unavailable' },
}

test('a cluster that has no leader yet counts as away: a process with a spool starts and takes events, one without is told', async () => {
  using folder = tempFolder()
  await using server = await testServer(WITHOUT)
  const nc = await connected(server.url)
  nc.subscribe('api.INFO', { callback: (_, msg) => void msg.respond(JSON.stringify(NO_META_LEADER)) })
  await nc.flush()
  await expect(connectMesh({ servers: server.url })).rejects.toThrow(/MESH_CONNECT_FAILED.*leader/)
  const { lines, logger } = linesOf()
  await using mesh = await connectMesh({ servers: server.url, spool: { file: folder.file }, logger })
  expect(await mesh.publish(placed, order(1))).toMatchObject({ queued: true })
  expect(lines.map(({ level }) => level)).not.toContain('error')
})

test('an event of a stream without a leader is queued at once, not after a time-out', async () => {
  using folder = tempFolder()
  await using server = await testServer(WITHOUT)
  const nc = await connected(server.url)
  nc.subscribe('api.INFO', { callback: (_, msg) => void msg.respond('{}') })
  // Where the stream ends is said once; then nobody says anything any more.
  const missing = JSON.stringify({ error: { code: 404, description: 'no message found' } })
  nc.subscribe('api.STREAM.MSG.GET.*', { max: 1, callback: (_, msg) => void msg.respond(missing) })
  const { promise: asked, resolve } = Promise.withResolvers<number>()
  nc.subscribe('api.STREAM.INFO.*', { callback: () => resolve(mesh.nats.stats().outMsgs) })
  await nc.flush()
  await using mesh = await connectMesh({ servers: server.url, spool: { file: folder.file } })
  const before = mesh.nats.stats().outMsgs
  expect(await mesh.publish(placed, order(1), { timeoutMs: 60_000 })).toMatchObject({ queued: true })
  // Where the stream ends, the event, and whether the stream is there: the event is not sent again and again first.
  expect((await asked) - before).toBe(3)
})
