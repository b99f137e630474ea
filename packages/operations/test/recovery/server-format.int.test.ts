import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh, streamState } from '@malha/mesh'
import { testServer } from '@malha/testing'
import { jetstreamManager, type StreamConfig, type StreamState } from '@nats-io/jetstream'
import { createInbox, type NatsConnection } from '@nats-io/nats-core'
import { expect, test } from 'vitest'
import { backUp, type Manifest, restore } from '../../src/index.ts'
import { partners, publish, shop } from './scene.ts'

type Copy = { config: StreamConfig; state: StreamState; data: Buffer }

/** As the server's API gives it, with nothing of ours. */
async function snapshot(nats: NatsConnection, stream: string): Promise<Copy> {
  const inbox = createInbox()
  const pieces = nats.subscribe(inbox)
  const request = { deliver_subject: inbox, no_consumers: true, chunk_size: 64 * 1024 }
  const answer = await nats.request(`$JS.API.STREAM.SNAPSHOT.${stream}`, JSON.stringify(request))
  const data: Uint8Array[] = []
  for await (const piece of pieces) {
    if (piece.data.length === 0) break
    data.push(piece.data)
    piece.respond()
  }
  return { ...answer.json<Omit<Copy, 'data'>>(), data: Buffer.concat(data) }
}

async function sendBack(nats: NatsConnection, { config, state, data }: Copy): Promise<void> {
  const answer = await nats.request(`$JS.API.STREAM.RESTORE.${config.name}`, JSON.stringify({ config, state }))
  const { deliver_subject: to } = answer.json<{ deliver_subject: string }>()
  for (let at = 0; at < data.length; at += 64 * 1024) await nats.request(to, data.subarray(at, at + 64 * 1024))
  expect((await nats.request(to, '')).json<{ error?: object }>().error).toBeUndefined()
}

test('a stream of a backup is one that the server takes by itself, and what the server gives by itself is one of a backup', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'malha-format-'))
  await using opened = new AsyncDisposableStack()
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  const server = opened.use(await testServer())
  const mesh = opened.use(await connectMesh({ servers: server.url, name: 'before' }))
  await mesh.provision(shop(partners()))
  await publish(mesh, 0, 50)
  const to = join(folder, 'backup')
  await backUp(mesh, { folder: to })
  const files = { config: join(to, 'ORDERS', 'backup.json'), data: join(to, 'ORDERS', 'stream.tar.s2') }

  const plain = opened.use(await testServer())
  const line = opened.use(await connectMesh({ servers: plain.url, name: 'plain', topology: 'none' }))
  const saved = JSON.parse(await readFile(files.config, 'utf8')) as Omit<Copy, 'data'>
  await sendBack(line.nats, { ...saved, data: await readFile(files.data) })
  expect((await (await jetstreamManager(line.nats)).streams.info('ORDERS')).state.messages).toBe(50)

  await publish(mesh, 50, 70)
  const { data, ...said } = await snapshot(mesh.nats, 'ORDERS')
  await writeFile(files.config, JSON.stringify(said))
  await writeFile(files.data, data)
  const manifest = JSON.parse(await readFile(join(to, 'manifest.json'), 'utf8')) as Manifest
  const sha256 = createHash('sha256').update(data).digest('hex')
  const streams = manifest.streams.map((one) =>
    one.name === 'ORDERS' ? { ...one, sha256, messages: said.state.messages, lastSeq: said.state.last_seq } : one,
  )
  await writeFile(join(to, 'manifest.json'), JSON.stringify({ ...manifest, streams }))
  const empty = opened.use(await testServer())
  const after = opened.use(await connectMesh({ servers: empty.url, name: 'after', topology: 'none' }))
  await restore(after, { folder: to })
  const { epoch } = await streamState(mesh.nats, 'ORDERS')
  expect(await streamState(after.nats, 'ORDERS')).toMatchObject({ epoch, lastSeq: 70 })
})
