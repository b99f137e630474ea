import { expect, test } from 'vitest'
import type { CenterView } from '../../src/demo/center-api.ts'
import { whatIsMissing } from '../../src/demo/missing.ts'
import { center } from './evidence.ts'

const waitingFor = (partner: 'maas' | 'dmitri', id: string, message?: string): CenterView => {
  const view = center(id, 'onboarding')
  view.partners[partner] = {
    state: 'waiting',
    attempts: 3,
    ...(message !== undefined && { lastFailure: { code: 'X', message } }),
  }
  return view
}

test('a partner that is waited for is named with how many, one of them and the last failure', () => {
  const centers = [
    center('ctr_1'),
    waitingFor('dmitri', 'ctr_2', 'connect ECONNREFUSED'),
    waitingFor('dmitri', 'ctr_3'),
  ]
  expect(whatIsMissing(centers, 3)).toEqual([
    'dmitri: 2 centres not done, e.g. Recife (ctr_2); last failure: connect ECONNREFUSED',
  ])
})

test('centres that were never registered, and centres that wait for nobody, are told apart', () => {
  expect(whatIsMissing([center('ctr_1', 'onboarding')], 3)).toEqual([
    '2 centres of 3 not registered',
    '1 centre not onboarded although every partner is done',
  ])
})

test('nothing is missing when all is done', () => {
  expect(whatIsMissing([center('ctr_1')], 1)).toEqual([])
})
