import { eventually } from '@malha/testing'
import { afterAll, expect, test } from 'vitest'
import { killAllBrokers, killBroker } from './kill-broker.ts'
import { cutLink, isolateBroker } from './links.ts'
import { manager } from './operator.ts'
import { named, picking } from './picking.ts'
import { smallSystem } from './small-system.ts'
import { stepDownConsumer, stepDownMeta, stepDownStream } from './step-down.ts'
import { retireBroker } from './stop-broker.ts'

const system = await smallSystem('cluster')
afterAll(() => system[Symbol.asyncDispose]())
const { streams, consumers } = await manager(system.operator)
// A first election that fails takes longer than a request waits.
await eventually(() => streams.add({ name: 'NOTES', subjects: ['notes'], num_replicas: 3 }))
await eventually(() => consumers.add('NOTES', { durable_name: 'reader', ack_policy: 'explicit' }))

const leaders = {
  stream: async () => (await streams.info('NOTES')).cluster?.leader,
  consumer: async () => (await consumers.info('NOTES', 'reader')).cluster?.leader,
  meta: async () => {
    const answer = await system.systemAccount.request('$SYS.REQ.SERVER.PING.JSZ', undefined, { timeout: 2_000 })
    return answer.json<{ data: { meta_cluster?: { leader?: string } } }>().data.meta_cluster?.leader
  },
}

test.for([
  ['stream', stepDownStream, 'NOTES'],
  ['consumer', stepDownConsumer, 'NOTES > reader'],
  ['meta', stepDownMeta, 'meta leader'],
] as const)('step-down-%s makes another broker lead', async ([what, nemesis, expected]) => {
  const leader = await eventually(async () => {
    const found = await leaders[what]()
    expect(found).toBeTruthy()
    return found
  })
  const { target } = await nemesis.begin(system, picking())
  expect(target).toBe(expected)
  await eventually(async () => {
    const next = await leaders[what]()
    expect(next && next !== leader).toBe(true)
  })
})

test('isolate-broker: it hears none of the others, and they hear each other, until the end', async () => {
  const { target, end } = await isolateBroker.begin(system, named('nats-1'))
  expect(target).toBe('nats-1')
  await eventually(async () => expect([await heardBy(0), await heardBy(1)]).toEqual([['n1'], ['n2', 'n3']]))
  await end()
  await eventually(async () => expect(await heardBy(0)).toEqual(['n1', 'n2', 'n3']))
})

test('cut-link between two brokers leaves each the third', async () => {
  const { target, end } = await cutLink.begin(system, named('nats-1', 'nats-2'))
  expect(target).toBe('nats-1 ↔ nats-2')
  await eventually(async () =>
    expect([await heardBy(0), await heardBy(2)]).toEqual([
      ['n1', 'n3'],
      ['n1', 'n2', 'n3'],
    ]),
  )
  await end()
  await eventually(async () => expect(await heardBy(0)).toEqual(['n1', 'n2', 'n3']))
})

test('retire-broker: the broker hands over, ends by itself, and is back at the end', async () => {
  const victim = system.processes.find(({ name }) => name === 'nats-2')!
  const { end } = await retireBroker.begin(system, named('nats-2'))
  await eventually(() => expect(victim.pid).toBeUndefined())
  await end()
  expect(victim.pid).toBeDefined()
})

test('kill-broker and kill-all-brokers: they are away until the end, which may come twice', async () => {
  const pids = (): unknown[] => system.processes.filter(({ kind }) => kind === 'broker').map(({ pid }) => pid)
  const one = await killBroker.begin(system, named('nats-3'))
  expect(pids()[2]).toBeUndefined()
  await one.end()
  const all = await killAllBrokers.begin(system, picking())
  expect(pids()).toEqual([undefined, undefined, undefined])
  await Promise.all([one.end(), all.end()])
  expect(pids()).not.toContain(undefined)
  await eventually(async () => expect((await streams.info('NOTES')).cluster?.leader).toBeTruthy())
})

/** Which brokers answer to somebody who is connected to this one. */
async function heardBy(index: number): Promise<string[]> {
  const nats = await system.through('sys', {
    servers: system.urls[index]!,
    ignoreClusterUpdates: true,
    timeout: 2_000,
  })
  try {
    const names: string[] = []
    const answers = await nats.requestMany('$SYS.REQ.SERVER.PING', undefined, {
      strategy: 'stall',
      maxWait: 1_000,
      stall: 150,
    })
    for await (const answer of answers) names.push(answer.json<{ server: { name: string } }>().server.name)
    return names.toSorted()
  } finally {
    await nats.close()
  }
}
