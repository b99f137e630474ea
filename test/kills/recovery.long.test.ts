import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh, streamState } from '@malha/mesh'
import { backUp, type Manifest, restore } from '@malha/operations'
import { type ClickHouseServer, startClickHouse } from '@malha/stack'
import { eventually, testCluster, testServer } from '@malha/testing'
import {
  jetstream,
  jetstreamManager,
  type JetStreamManager,
  type StreamConfig,
  type StreamState,
} from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectWhole, lostMesh } from '../../packages/operations/test/recovery/lost-mesh.ts'
import { note, partners, publish, shop } from '../../packages/operations/test/recovery/scene.ts'
import { malha } from '../malha-command.ts'

/** Twelve megabytes: so a kill falls into the copy of a stream, too. */
const NOTES = 3000
const KILLS = 6
const KEYS = 20_000

let dataDir: string
let clickhouse: ClickHouseServer
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'malha-recovery-'))
  const { CLICKHOUSE_URL: _, ...env } = process.env
  clickhouse = await startClickHouse({ dataDir: join(dataDir, 'clickhouse'), env })
})
afterAll(async () => {
  await clickhouse.stop()
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

type Snapshot = { config: StreamConfig; state: StreamState }
type Killed = { ended: Ended['how']; files: string[]; looked: Ended; again: Ended }
type Ended = { how: number | NodeJS.Signals; lines: number[]; stderr: string }
type Moment = { line: number; afterMs: number }

/** Runs a command, and kills it so long after the n-th line that it says, if it has not ended by then. */
async function run(args: string[], kill?: Moment): Promise<Ended> {
  const began = performance.now()
  const lines: number[] = []
  let timer: NodeJS.Timeout | undefined
  await using command = malha(...args)
  const isAtLine = (): void => {
    if (kill && timer === undefined && lines.length >= kill.line)
      timer = setTimeout(() => command.process.kill('SIGKILL'), kill.afterMs)
  }
  command.process.stderr!.on('data', (text: Buffer | string) => {
    for (const _ of String(text).matchAll(/\n/g)) lines.push(performance.now() - began)
    isAtLine()
  })
  isAtLine()
  const how = await command.ended
  clearTimeout(timer)
  return { how, lines: [...lines, performance.now() - began], stderr: command.stderr }
}

/**
 * Moments all over a command that took so long until each of its lines: it says one for each stream that is done. `lines` is how
 * many of them are waited for at most.
 */
function moments(took: readonly number[], lines: number = took.length - 1): Moment[] {
  return Array.from({ length: KILLS }, (_, n) => {
    const line = Math.min(n % (lines + 1), took.length - 1)
    const since = line === 0 ? 0 : took[line - 1]!
    // A process takes its time to begin.
    const part = line === 0 ? 0.5 + Math.random() / 2 : Math.random()
    return { line, afterMs: part * (took[line]! - since) }
  })
}

/** Calls it until it ends well. What it refuses until then says that it is to be called again. */
async function untilDone(args: string[]): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const { how, stderr } = await run(args)
    if (how === 0) return
    expect(stderr).toMatch(/OPERATIONS_(RESTORE|REBUILD)_FAILED: .*run the same command again/)
    expect(tries).toBeLessThan(10)
  }
}

test('a backup that was killed at any time is none, and one that is there is whole', async () => {
  await using server = await testServer()
  await using empty = await testServer()
  await using mesh = await connectMesh({ servers: server.url, name: 'before' })
  await mesh.provision(shop(partners()))
  await note(mesh, NOTES)
  await publish(mesh, 0, 50)
  const at = (name: string): string => join(dataDir, 'backups', name)
  const to = (name: string): string[] => ['backup', at(name), '--server', server.url]
  const look = (name: string): string[] => ['restore', at(name), '--dry-run', '--server', empty.url]
  const { how, lines } = await run(to('whole'))
  expect(how).toBe(0)
  const killed: Killed[] = []
  for (const [n, moment] of moments(lines).entries()) {
    const name = `killed-${n}`
    const { how: ended } = await run(to(name), moment)
    const files = await readdir(at(name)).catch((): string[] => [])
    const [looked, again] = [await run(look(name)), await run(to(name))]
    killed.push({ ended, files, looked, again })
  }
  const isWhole = ({ files }: Killed): boolean => files.includes('manifest.json')
  const [whole, broken] = [killed.filter(isWhole), killed.filter((one) => !isWhole(one))]
  expect(broken.filter(({ ended }) => ended === 0)).toEqual([])
  expect(whole.filter(({ looked }) => looked.how !== 0)).toEqual([])
  expect(broken.filter(({ files }) => files.length > 0).length).toBeGreaterThan(0)
  for (const { looked } of broken) expect(looked.stderr).toMatch(/OPERATIONS_BACKUP_UNREADABLE: .*broken off/)
  for (const { again } of killed.filter(({ files }) => files.length > 0))
    expect(again.stderr).toMatch(/OPERATIONS_BACKUP_REFUSED: .*name a folder that is empty/)
}, 600_000)

test('a bucket that is written into while it is copied has every key when it is restored', async () => {
  const folder = join(dataDir, 'hot')
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url, name: 'before' })
  await mesh.provision(shop(partners()))
  const kv = await new Kvm(jetstream(mesh.nats)).create('HOT')
  // Twenty megabytes, that are copied for a second.
  const put = (from: number, count: number): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, n) => kv.put(`k${(from + n * 7) % KEYS}`, randomBytes(1_000))))
  for (let n = 0; n < 7; n++) for (let from = n; from < KEYS; from += 7_000) await put(from, 1_000)
  const keys = async (jsm: JetStreamManager): Promise<number> =>
    (await jsm.streams.info('KV_HOT')).state.num_subjects ?? 0
  expect(await keys(await jetstreamManager(mesh.nats))).toBe(KEYS)
  const over = new AbortController()
  const load = (async () => {
    while (!over.signal.aborted) await put(Math.floor(Math.random() * KEYS), 10)
  })()
  const { streams } = await backUp(mesh, { folder })
  over.abort()
  await load
  expect(streams.find(({ name }) => name === 'KV_HOT')?.later?.messages).toBeGreaterThan(0)
  await using empty = await testServer()
  await using after = await connectMesh({ servers: empty.url, name: 'after', topology: 'none' })
  await restore(after, { folder })
  expect(await keys(await jetstreamManager(after.nats))).toBe(KEYS)
  expect(await restore(after, { folder })).toMatchObject({ streams: [], over: 0 })
}, 120_000)

test('a restore that was killed again and again ends right, and a stream that is there in part says so', async () => {
  const lost = {
    clickhouse: clickhouse.url,
    namespace: 'restored',
    known: partners(),
  }
  const folder = join(dataDir, lost.namespace)
  await lostMesh(lost, { backup: folder, notes: NOTES })
  const asks = ['--namespace', lost.namespace]
  let took: number[]
  {
    await using rehearsal = await testServer()
    const args = ['restore', folder, '--server', rehearsal.url, ...asks]
    took = (await run(args)).lines
  }
  await using server = await testServer()
  await using opened = new AsyncDisposableStack()
  const nats = opened.adopt(await connect({ servers: server.url.split(',') }), (line) => line.close())
  const jsm = await jetstreamManager(nats)
  const { streams } = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Manifest
  const saved = new Map(streams.map((one) => [one.name, { last: one.lastSeq, messages: one.messages }]))
  const args = ['restore', folder, '--server', server.url, ...asks]
  const found: [string, { last: number; messages: number }][] = []
  // Each goes on where the last was.
  for (const moment of moments(took)) {
    await run(args, moment)
    for await (const { config, state } of jsm.streams.list())
      if (config.metadata?.['malha.restoring'] === undefined)
        found.push([config.name, { last: state.last_seq, messages: state.messages }])
  }
  // What is in buckets may have expired since, and what is on lanes may have come due.
  const inPart = found.filter(([stream, { last, messages }]) => {
    const whole = saved.get(stream)!
    const hasItsEnd = stream.includes('_LANES_') ? last >= whole.last : last === whole.last
    return !hasItsEnd || (stream.endsWith('_ORDERS') && messages !== whole.messages)
  })
  expect(inPart).toEqual([])
  await untilDone(args)
  const names = (await jsm.streams.names().next()).toSorted()
  expect(names).toEqual([...saved.keys()].toSorted())
  await untilDone(['rebuild', '--server', server.url, '--clickhouse', clickhouse.url, ...asks])
  await expectWhole(server.url, lost)
}, 600_000)

test.each([
  { on: 'one server', serverOf: () => testServer(), replicas: 1 },
  { on: 'three servers', serverOf: () => testCluster(), replicas: 3 },
])(
  'what $on will give up of a restore that was broken off is not taken for whole',
  async ({ serverOf, replicas }) => {
    const folder = join(dataDir, `given-up-${replicas}`)
    await using one = await testServer()
    await using mesh = await connectMesh({ servers: one.url, name: 'before' })
    await mesh.provision(shop(partners()))
    await note(mesh, 1000)
    const { streams } = await backUp(mesh, { folder })
    const saved = streams.find((stream) => stream.name === 'ORDERS')!
    const { config, state } = JSON.parse(await readFile(join(folder, 'ORDERS/backup.json'), 'utf8')) as Snapshot
    const metadata = { ...config.metadata, 'malha.epoch': String(saved.epoch), 'malha.restoring': saved.sha256 }
    const request = JSON.stringify({ config: { ...config, metadata, num_replicas: replicas }, state })
    await using server = await serverOf()
    await using after = await connectMesh({ servers: server.url.split(','), name: 'after', topology: 'none' })
    const jsm = await jetstreamManager(after.nats)
    // A part of it, and then all pieces, and not the end.
    for (const part of [0.5, 1]) {
      const answer = await after.nats.request('$JS.API.STREAM.RESTORE.ORDERS', request, { timeout: 10_000 })
      const { deliver_subject: to } = answer.json<{ deliver_subject: string }>()
      const end = Math.floor(saved.bytes * part) - 1
      const pieces = createReadStream(join(folder, 'ORDERS/stream.tar.s2'), { highWaterMark: 64 * 1024, end })
      for await (const piece of pieces as AsyncIterable<Buffer>)
        await after.nats.request(to, piece, { timeout: 10_000 })
      const lastSeq = async (): Promise<number> => (await jsm.streams.info('ORDERS')).state.last_seq
      const least = part === 1 ? saved.lastSeq : 1
      await eventually(async () => expect(await lastSeq()).toBeGreaterThanOrEqual(least))
      await eventually(() => restore(after, { folder, replicas }), { timeoutMs: 60_000 })
      expect(await lastSeq()).toBe(saved.lastSeq)
      for await (const name of jsm.streams.names()) await jsm.streams.delete(name)
    }
  },
  240_000,
)

test.each([
  { onto: 'one server', serverOf: () => testServer(), namespace: 'rebuilt-one', replicas: [] },
  { onto: 'three servers', serverOf: () => testCluster(), namespace: 'rebuilt-three', replicas: ['--replicas', '3'] },
])(
  'a rebuild onto $onto that was killed again and again ends right, with every event once',
  async ({ serverOf, namespace, replicas }) => {
    const lost = { clickhouse: clickhouse.url, namespace, known: partners() }
    await lostMesh(lost, { notes: NOTES })
    const asks = ['--clickhouse', clickhouse.url, '--namespace', lost.namespace]
    await using rehearsal = await testServer()
    expect((await run(['rebuild', '--server', rehearsal.url, ...asks])).how).toBe(0)
    await using server = await serverOf()
    const args = ['rebuild', '--server', server.url, ...asks, ...replicas]
    const { lines } = await run([...args, '--dry-run'])
    for (const moment of moments([...lines, 2 * lines.at(-1)!], 1)) await run(args, moment)
    await untilDone(args)
    const [whole, killed] = await Promise.all([rehearsal, server].map(({ url }) => ordersOf(url, lost.namespace)))
    expect(killed).toEqual(whole)
    await expectWhole(server.url, lost)
  },
  900_000,
)

async function ordersOf(url: string, namespace: string): Promise<object> {
  await using mesh = await connectMesh({ servers: url.split(','), name: 'look', namespace, topology: 'none' })
  const { state } = await (await jetstreamManager(mesh.nats)).streams.info(mesh.names.stream('ORDERS'))
  const { epoch } = await streamState(mesh.nats, mesh.names.stream('ORDERS'))
  return { epoch, first: state.first_seq, last: state.last_seq, messages: state.messages, deleted: state.num_deleted }
}
