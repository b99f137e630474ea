import { afterAll, beforeAll, test } from 'vitest'
import { archiveThroughKills } from './support/archive-through-kills.ts'
import { type TestServers, testServers } from './support/servers.ts'

let servers: TestServers
beforeAll(async () => {
  servers = await testServers()
})
afterAll(async () => await servers[Symbol.asyncDispose]())

const SIZE = { events: 20_000, rounds: 6 }

// oxlint-disable-next-line vitest/expect-expect -- it asserts by itself
test(
  `at least ${SIZE.events} events through ${SIZE.rounds} SIGKILLs of the archiver and of ClickHouse by turns are archived exactly once`,
  { timeout: 300_000 },
  () => archiveThroughKills(servers, SIZE),
)
