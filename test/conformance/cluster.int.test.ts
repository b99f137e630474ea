/* oxlint-disable vitest/expect-expect -- a case asserts by itself */
import { type Case, conformance, runCase, testCluster, type TestCluster } from '@malha/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'

let cluster: TestCluster
beforeAll(async () => {
  cluster = await testCluster()
})
afterAll(() => cluster[Symbol.asyncDispose]())

const named = (one: Case) => [one.name, one] as const
const harmless = conformance.filter(({ needs }) => needs.length === 0).map(named)
const killing = conformance.filter(({ needs }) => needs.length > 0).map(named)

describe('on three servers with three replicas', () => {
  test.concurrent.for(harmless)('%s', { timeout: 120_000 }, ([, one]) => runCase(one, cluster))
})

describe('on three servers that are killed or step down', () => {
  test.for(killing)('%s', { timeout: 180_000 }, ([, one]) => runCase(one, cluster))
})
