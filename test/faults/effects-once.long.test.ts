import { defineService } from '@malha/mesh'
import { eventually, type FaultProxy, faultProxy, untilSettled } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { copier } from './copier.ts'
import { copied, copies, drawn, filed, originals } from './copies.ts'
import { faultCluster, faultMesh, type OnServers } from './fault-mesh.ts'
import { startProcess, type Worker } from './fixture.ts'

const ROUNDS = 4
const PER_ROUND = 500
const ORIGINALS = ROUNDS * PER_ROUND
const PATIENTLY = { timeoutMs: 120_000 }

const draughtsman = defineService('draughtsman', { handlers: {}, publishes: [drawn, copied] })
const services = [draughtsman, copier] as const

const startCopier = (t: OnServers, proxy: FaultProxy): Promise<Worker> =>
  startProcess({
    file: new URL('copier.ts', import.meta.url),
    env: { ...t.as('copier'), NATS_URL: proxy.url },
    isReady: (said) => said.includes('is bound'),
  })

/** Each original twice under one id, so that two copiers often have it at the same time. */
async function publishTwice(t: OnServers, from: number, to: number): Promise<void> {
  const js = jetstream(t.nats)
  for (let n = from; n < to; n += 1) {
    const head = headers()
    const values = { specversion: '1.0', id: `o${n}`, type: drawn.type, source: '/draughtsman' }
    for (const [name, value] of Object.entries(values)) head.set(`ce-${name}`, value)
    const subject = drawn.type
    const send = () => js.publish(subject, JSON.stringify({ jobId: `o${n}`, n }), { headers: head, retries: 20 })
    await Promise.all([send(), send()])
  }
}

type Stored = { subject: string; seq: number; id: string; type: string; cause: string }

async function storedIn(t: OnServers, stream: string): Promise<Stored[]> {
  const { state } = await (await jetstreamManager(t.nats)).streams.info(stream)
  const all: Stored[] = []
  const consumer = await jetstream(t.nats).consumers.get(stream)
  while ((all.at(-1)?.seq ?? 0) < state.last_seq) {
    for await (const { subject, seq, headers: head } of await consumer.fetch({ max_messages: 1_000, expires: 2_000 })) {
      const value = (header: string): string => head?.get(header) ?? ''
      all.push({ subject, seq, id: value('ce-id'), type: value('ce-type'), cause: value('ce-causationid') })
    }
  }
  await consumer.delete()
  return all
}

async function copiedSoFar(t: OnServers): Promise<number> {
  const { state } = await (await jetstreamManager(t.nats)).streams.info(copies.name)
  return state.messages / 3
}

/** Exactly one marker and one of each output for every original, the three of them next to each other. */
async function expectEachOnce(t: OnServers): Promise<void> {
  const all = await storedIn(t, copies.name)
  expect(all.length).toBe(3 * ORIGINALS)
  const wanted = Array.from({ length: ORIGINALS }, (_, n) => `o${n}`).sort()
  for (const { type } of [copied, filed]) {
    const ofType = all.filter((one) => one.type === type)
    expect(ofType.map(({ cause }) => cause).sort()).toEqual(wanted)
    expect(new Set(ofType.map(({ id }) => id)).size).toBe(ORIGINALS)
  }
  const bySeq = new Map(all.map((one) => [one.seq, one]))
  const parted = all.filter(({ subject, seq }) => {
    if (!subject.includes('._done.')) return false
    const id = subject.split('.').at(-1)
    const behind = [bySeq.get(seq + 1), bySeq.get(seq + 2)]
    return behind.some((one) => one?.cause !== id)
  })
  expect(parted).toEqual([])
  const jsm = await jetstreamManager(t.nats)
  expect((await jsm.streams.info('DEAD_LETTERS')).state.messages).toBe(0)
}

async function run(t: OnServers, urls: [string, string], disturb: (round: number) => Promise<void>): Promise<void> {
  await using one = await faultProxy({ target: urls[0] })
  await using other = await faultProxy({ target: urls[1] })
  await using _steady = await startCopier(t, other)
  for (let round = 0; round < ROUNDS; round += 1) {
    await using doomed = await startCopier(t, one)
    const publishing = publishTwice(t, round * PER_ROUND, (round + 1) * PER_ROUND)
    await eventually(async () => expect(await copiedSoFar(t)).toBeGreaterThan((round + 0.2) * PER_ROUND), PATIENTLY)
    // From here on its outputs are stored, but it hears neither of that nor of anything else.
    one.stall('toClient')
    other.cut()
    await disturb(round)
    await eventually(async () => expect(await copiedSoFar(t)).toBeGreaterThan((round + 0.5) * PER_ROUND), PATIENTLY)
    if (round % 2 === 0) await doomed.kill()
    one.cut()
    one.resume('toClient')
    // One that was not killed goes on with what it had in hand, long after the other has taken that over.
    await publishing
    await eventually(async () => expect(await copiedSoFar(t)).toBe((round + 1) * PER_ROUND), PATIENTLY)
  }
  await untilSettled(t.nats, originals.name, 'copier_copy', { ...PATIENTLY, intervalMs: 200 })
}

test('on a single server: kills, lost answers and two at one message store each set of outputs once', async () => {
  await using t = await faultMesh(services)
  await run(t, [t.url, t.url], () => Promise.resolve())
  await expectEachOnce(t)
})

test('on three servers whose leader is killed: each set of outputs is stored once', async () => {
  await using t = await faultCluster(services)
  const [first = '', second = ''] = t.url.split(',')
  await run(t, [first, second], async (round) => {
    if (round % 2 === 0) return
    await t.restart(await eventually(() => t.leader(t.nats, copies.name)))
  })
  await expectEachOnce(t)
})
