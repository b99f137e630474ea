/* oxlint-disable vitest/expect-expect -- a case asserts by itself */
import { conformance, runCase, testServer, type TestServer } from '@malha/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const harmless = conformance.filter(({ needs }) => needs.length === 0)
const killing = conformance.filter(({ needs }) => needs.join() === 'restart')

describe('on a single server', () => {
  test.concurrent.for(harmless)('$name', (one) => runCase(one, server))
})

describe('on a single server that is killed', () => {
  test.for(killing)('$name', { timeout: 180_000 }, (one) => runCase(one, server))
})
