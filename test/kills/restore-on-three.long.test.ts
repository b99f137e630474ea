import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh } from '@malha/mesh'
import { backUp, type Manifest } from '@malha/operations'
import { eventually, type TestCluster, testCluster, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { note, partners, publish, shop } from '../../packages/operations/test/recovery/scene.ts'
import { malha } from '../malha-command.ts'

/** A restore is mostly waiting, so some go on at once. */
const NAMESPACES = ['one', 'two', 'three']
const ROUNDS = 17

let dataDir: string
let cluster: TestCluster
let nats: NatsConnection
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'malha-three-'))
  cluster = await testCluster()
  nats = await connect({ servers: cluster.url.split(',') })
})
afterAll(async () => {
  await nats.close()
  await cluster[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

/** Of a mesh in which six orders wait for a retry that is due within a minute, so while it is being restored. */
async function backupOf(namespace: string): Promise<Manifest> {
  const known = partners()
  await using server = await testServer()
  await using mesh = await connectMesh({ servers: server.url, name: 'before', namespace })
  await using _ = await mesh.start(shop(known))
  await note(mesh, 300)
  await publish(mesh, 0, 60)
  const jsm = await jetstreamManager(mesh.nats)
  await eventually(async () => {
    const { state } = await jsm.streams.info(mesh.names.lanes('shop'), { subjects_filter: '>' })
    expect(Object.keys(state.subjects ?? {}).filter((subject) => subject.includes('.tell.at.'))).toHaveLength(6)
  })
  return await backUp(mesh, { folder: join(dataDir, namespace) })
}

/** Kills it after so long, if it has not ended by then. */
async function restoring(
  namespace: string,
  killAfterMs?: number,
): Promise<{ how: unknown; tookMs: number; said: string }> {
  const args = ['--server', cluster.url, '--namespace', namespace, '--replicas', '3']
  const began = performance.now()
  await using command = malha('restore', join(dataDir, namespace), ...args)
  const timer = killAfterMs && setTimeout(() => command.process.kill('SIGKILL'), killAfterMs)
  const how = await command.ended
  clearTimeout(timer)
  return { how, tookMs: performance.now() - began, said: command.stderr }
}

/** Calls it until it ends well: what goes wrong before that, such as a server that is slow to answer, says to call it again. */
async function untilDone(namespace: string, at: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const { how, said } = await restoring(namespace)
    if (how === 0) return
    expect(`${at}: ${said}`).toMatch(/OPERATIONS_RESTORE_FAILED: .*run the same command again/)
    expect(tries).toBeLessThan(4)
  }
}

async function streamsOf(namespace: string): Promise<string[]> {
  const names: string[] = []
  for await (const name of (await jetstreamManager(nats)).streams.names())
    if (name.replace(/^KV_/, '').startsWith(`${namespace}_`)) names.push(name)
  return names
}

type Shown = { name: string; config: { metadata: Record<string, string> }; state: State; consumer_detail?: object[] }
type State = { first_seq: number; last_seq: number; messages: number }

/** What each server itself says that it has, by stream. */
async function heldBy(monitorUrl: string, namespace: string): Promise<Record<string, object>> {
  const answer = await fetch(`${monitorUrl}/jsz?accounts=true&streams=true&consumers=true&config=true`)
  const { account_details: accounts } = (await answer.json()) as { account_details: { stream_detail: Shown[] }[] }
  const ours = accounts
    .flatMap(({ stream_detail: all }) => all)
    .filter(({ name }) => name.replace(/^KV_/, '').startsWith(`${namespace}_`))
  return Object.fromEntries(
    ours.map(({ name, config, state, consumer_detail: durables = [] }) => [
      name,
      { last: state.last_seq, durables: durables.length, isDone: config.metadata['malha.restoring'] === undefined },
    ]),
  )
}

const anyNumber = expect.any(Number) as number

async function rounds(namespace: string): Promise<void> {
  const { streams } = await backupOf(namespace)
  const jsm = await jetstreamManager(nats)
  const remove = async (): Promise<void> => {
    for (const name of await streamsOf(namespace)) await jsm.streams.delete(name)
  }
  const rehearsal = await restoring(namespace)
  expect(rehearsal).toMatchObject({ how: 0 })
  const wanted = Object.fromEntries(
    // What is due arrives on the lanes: their last sequence grows.
    streams.map(({ name, kind, lastSeq: last, durables }) => [
      name,
      { last: kind === 'lanes' ? anyNumber : last, durables: durables.length, isDone: true },
    ]),
  )
  for (let round = 0; round < ROUNDS; round++) {
    await remove()
    // A process takes its time to begin.
    const moment = (0.2 + 0.8 * Math.random()) * rehearsal.tookMs
    await restoring(namespace, moment)
    const at = `round ${round}, killed after ${moment} ms`
    await untilDone(namespace, at)
    await eventually(
      async () => {
        const held = await Promise.all(cluster.nodes.map(({ monitorUrl }) => heldBy(monitorUrl, namespace)))
        expect({ at, held }).toEqual({ at, held: [wanted, wanted, wanted] })
        expect([held[1], held[2]]).toEqual([held[0], held[0]])
      },
      { intervalMs: 250 },
    )
  }
}

test('a restore onto three servers that was killed at any moment, fifty times, is whole on each of them when it says so', async () => {
  await Promise.all(NAMESPACES.map(rounds))
}, 3_600_000)
