import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archiveStreams } from '../src/index.ts'
import { recordedLog } from './support/recorded.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

/** A connection whose lists of streams lack one for as long as `isLeaderless`, as those of a cluster do. */
function withoutLeader(nats: NatsConnection, stream: string, isLeaderless: () => boolean): NatsConnection {
  const request: NatsConnection['request'] = async (subject, ...rest) => {
    const answer = await nats.request(subject, ...rest)
    if (subject !== '$JS.API.STREAM.LIST' || !isLeaderless()) return answer
    const { streams, ...list } = answer.json<{ streams: { config: { name: string } }[] }>()
    const lacking = { ...list, streams: streams.filter(({ config }) => config.name !== stream) }
    return { ...answer, headers: undefined, data: Buffer.from(JSON.stringify(lacking)) } as unknown as Msg
  }
  return new Proxy(nats, {
    get(target, name) {
      if (name === 'request') return request
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

test('a stream that a list lacks while it has no leader is no stream that is gone', { timeout: 60_000 }, async () => {
  const namespace = servers.namespace()
  const name = `${namespace}_CENTERS`
  await servers.stream(name, { subjects: [`${namespace}.c`] })
  const { log, lines } = recordedLog()
  let isLeaderless = false
  const nats = withoutLeader(servers.nats, name, () => isLeaderless)
  const options = { pollMs: 50, leaseMs: 1_000, log }
  await using running = archiveStreams({ nats, namespace }, { url: servers.clickhouse.url }, options)
  await eventually(() => expect(running.health().streams[name]).toBe('writing'), { timeoutMs: 20_000 })
  const isTold = (): boolean => lines.some(({ message }) => message.includes('the stream is gone'))
  isLeaderless = true
  await sleep(1000)
  expect(running.health()).toMatchObject({ ready: true, reasons: [], streams: { [name]: 'writing' } })
  expect(isTold()).toBe(false)
  await (await jetstreamManager(servers.nats)).streams.delete(name)
  await eventually(() => expect([running.health().streams[name], isTold()]).toEqual([undefined, true]))
})
