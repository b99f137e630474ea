import { readFileSync } from 'node:fs'
import * as contracts from '@malha/contracts'
import { type AnyContract, checkContracts, contractsSnapshot } from '@malha/mesh'
import { expect, test } from 'vitest'

const released = JSON.parse(readFileSync(new URL('../contracts.json', import.meta.url), 'utf8'))
const isContract = (value: object): value is AnyContract =>
  'kind' in value && ['event', 'command'].includes(value.kind as string)
const now = Object.values(contracts).filter((value) => isContract(value))

// #region check
test('what is released and what is here read each other’s events', () => {
  expect(checkContracts({ before: released, after: now, mode: 'full' })).toEqual([])
})
// #endregion

test('contracts.json is of the contracts as they are: run the script "snapshot" of this package after a change', () => {
  expect(released).toEqual(contractsSnapshot(now))
})

test('keys are told in words', () => {
  expect(contractsSnapshot(now).contracts.map(({ type, key }) => [type, key])).toEqual([
    ['center.onboarded', '{centerId}'],
    ['center.registered', '{centerId}'],
    ['city.registered', '{centerId}'],
    ['provider.created', '{centerId}-{system}'],
  ])
})
