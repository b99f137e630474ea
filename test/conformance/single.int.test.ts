/* oxlint-disable vitest/expect-expect -- a case asserts by itself */
import { type Case, conformance, runCase, testServer, type TestServer } from '@malha/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const named = (one: Case) => [one.name, one] as const
const harmless = conformance.filter(({ needs }) => needs.length === 0).map(named)
const killing = conformance.filter(({ needs }) => needs.join() === 'restart').map(named)

describe('on a single server', () => {
  test.concurrent.for(harmless)('%s', { timeout: 120_000 }, ([, one]) => runCase(one, server))
})

describe('on a single server that is killed', () => {
  test.for(killing)('%s', { timeout: 180_000 }, ([, one]) => runCase(one, server))
})
