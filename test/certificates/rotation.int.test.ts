import { setInterval } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { connectMesh, defineService, event, type Mesh, on, retry, stream } from '@malha/mesh'
import { eventually, type TestServer, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { authority, type Issued } from './authority.ts'
import { reload } from './reload.ts'
import { secretVolume } from './secret-volume.ts'
import { tlsBlock, tlsOf } from './tls-files.ts'

const things = stream('THINGS', { subjects: ['thing.>'] })
const schema = z.object({ n: z.number() })
/** Each has a subject of its own, so that the stream counts each. */
const key = ({ n }: { n: number }): string => String(n)
const made = event('thing.made', { stream: things, schema, key })
const done = event('thing.done', { stream: things, schema, key })

const filesOf = ({ certificate, key }: Issued, ca: string): Record<string, string> => ({
  'tls.crt': certificate,
  'tls.key': key,
  'ca.crt': ca,
})
const serials = new WeakMap<TLSSocket, string | undefined>()

/** The certificate that the server showed to a connection, by its serial number. Node 24 gives it once for each socket. */
function serverSerial({ nats }: Mesh): string | undefined {
  const { protocol } = nats as unknown as { protocol: { transport: { socket: TLSSocket } } }
  const { socket } = protocol.transport
  if (serials.get(socket) === undefined) serials.set(socket, socket.getPeerX509Certificate()?.serialNumber)
  return serials.get(socket)
}

type Connection = { name: string; tls_peer_certs?: { cert_sha256: string }[] }

/** The certificates that clients showed to the server, by the name of each connection. */
async function clientFingerprints({ monitorUrl }: TestServer): Promise<Record<string, string | undefined>> {
  const { connections } = (await (await fetch(`${monitorUrl}/connz?auth=1`)).json()) as { connections: Connection[] }
  return Object.fromEntries(connections.map(({ name, tls_peer_certs }) => [name, tls_peer_certs?.[0]?.cert_sha256]))
}

it('certificates of server and clients, and their authority, are replaced under load without a restart of a client: nothing is lost or done twice, and each connection made since shows the new ones', async () => {
  const [old, next] = await Promise.all([authority('old'), authority('new')])
  const both = [old.certificate, next.certificate].join('\n')
  const first = { server: await old.issue('nats'), client: await old.issue('worker', { use: 'client' }) }
  const second = { server: await next.issue('nats'), client: await next.issue('worker', { use: 'client' }) }
  await using own = await secretVolume(filesOf(first.server, old.certificate))
  await using theirs = await secretVolume(filesOf(first.client, old.certificate))
  const heard: string[] = []
  await using server = await testServer({
    config: tlsBlock(own, 'verify: true'),
    onLine: (line) => heard.push(line),
  })
  const reloads = (): number => heard.filter((line) => line.includes('Reloaded server configuration')).length
  const reloaded = async (): Promise<void> => {
    const before = reloads()
    await reload(server)
    await eventually(() => expect(reloads()).toBe(before + 1))
  }
  const connected = (name: string): Promise<Mesh> => connectMesh({ servers: server.url, name, tls: tlsOf(theirs) })
  await using maker = await connected('maker')
  await using taker = await connected('taker')
  const clients = { maker, taker }
  const names = Object.keys(clients).toSorted()
  const worker = defineService('worker', {
    publishes: [made, done],
    handlers: {
      work: on(made, { startFrom: 'all', concurrency: 8, retry: retry({ minDelayMs: 50 }) }, ({ n }, ctx) =>
        ctx.publish(done, { n }),
      ),
    },
  })
  await taker.start(worker)

  let published = 0
  const stopping = new AbortController()
  const load = (async () => {
    for await (const _ of setInterval(5)) {
      if (stopping.signal.aborted) return
      await Promise.all(Array.from({ length: 2 }, () => maker.publish(made, { n: published++ }, { timeoutMs: 30_000 })))
    }
  })()
  // Awaited at the end; a test that fails before closes what it publishes on.
  load.catch(() => undefined)
  const more = async (): Promise<void> => {
    const before = published
    await eventually(() => expect(published).toBeGreaterThan(before + 50), { timeoutMs: 30_000 })
  }
  /** A server of a cluster is restarted after the others; here there is one. */
  const renewConnections = async (): Promise<void> => {
    await server.stop()
    await server.start()
    // Both, before anything else is written: whoever comes back later shows that.
    await eventually(async () => expect(Object.keys(await clientFingerprints(server)).toSorted()).toEqual(names))
    await more()
  }
  const shown = async (): Promise<unknown> => ({
    byServer: [serverSerial(maker), serverSerial(taker)],
    byClients: await clientFingerprints(server),
  })
  const all = ({ server: s, client: c }: typeof first): unknown => ({
    byServer: [s.serial, s.serial],
    byClients: { maker: c.fingerprint, taker: c.fingerprint },
  })

  await more()
  expect(await shown()).toEqual(all(first))
  // Both authorities are trusted by everybody before anything is signed by the new one.
  await own.write(filesOf(first.server, both))
  await theirs.write(filesOf(first.client, both))
  await reloaded()
  await renewConnections()
  await own.write(filesOf(second.server, both))
  await theirs.write(filesOf(second.client, both))
  await reloaded()
  await more()
  // Connections live on with what they were made with.
  expect(await shown()).toEqual(all(first))
  await renewConnections()
  await eventually(async () => expect(await shown()).toEqual(all(second)))
  // The old authority is taken away; whoever connects now has nothing of it.
  await own.write(filesOf(second.server, next.certificate))
  await theirs.write(filesOf(second.client, next.certificate))
  await reloaded()
  await using late = await connected('late')
  expect(serverSerial(late)).toBe(second.server.serial)
  expect(new Set((await late.expiring()).map(({ kind }) => kind))).toEqual(
    new Set(['server_certificate', 'client_certificate', 'authority']),
  )
  await more()
  stopping.abort()
  await load

  const jsm = await jetstreamManager(maker.nats)
  const counts = async (type: string): Promise<number[]> =>
    Object.values((await jsm.streams.info('THINGS', { subjects_filter: `${type}.>` })).state.subjects ?? {})
  const once = Array<number>(published).fill(1)
  expect(await counts('thing.made')).toEqual(once)
  await eventually(async () => expect((await counts('thing.done')).length).toBe(published))
  expect(await counts('thing.done')).toEqual(once)
  expect((await jsm.streams.info('DEAD_LETTERS')).state.messages).toBe(0)
  expect(Object.values(clients).map((mesh) => mesh.health())).toEqual([
    { ready: true, reasons: [] },
    { ready: true, reasons: [] },
  ])
})
