import { expect, test } from 'vitest'
import { checkRun, type Evidence } from '../../src/demo/checks.ts'
import { center, goodRun, received } from './evidence.ts'

const failing = (over: Partial<Evidence>): string[] =>
  checkRun({ ...goodRun, ...over })
    .filter((check) => !check.held)
    .map((check) => `${check.name}: ${check.detail}`)

test('a run without a fault holds every check', () => {
  expect(checkRun(goodRun).every((check) => check.held)).toBe(true)
})

test('a centre that is not onboarded, or that the API does not know, is named', () => {
  expect(failing({ centers: [center('ctr_1', 'onboarding')] })).toEqual([
    'every centre is onboarded: 2 not: ctr_1, ctr_2',
  ])
})

test('a second effect fails the run, and so does a missing one', () => {
  const twice = failing({ received: { ...goodRun.received, maas: received(2) } })
  expect(twice).toEqual(['one effect per centre and partner: maas ctr_1: 2 effects, maas ctr_2: 2 effects'])
  const none = failing({ received: { ...goodRun.received, dmitri: { created: 0, attempts: 0, byCenter: {} } } })
  expect(none[0]).toMatch(/dmitri ctr_1: 0 effects/)
})

test('two different idempotency keys for one centre fail the run even with one effect', () => {
  expect(failing({ received: { ...goodRun.received, senninha: received(1, ['a', 'b']) } })).toEqual([
    'one idempotency key per centre and partner, over all attempts: senninha ctr_1: 2 keys, senninha ctr_2: 2 keys',
  ])
})

test('one missing, doubled or conflicting event fails the archive, and so does an archive that is empty or was not audited', () => {
  const clean = { events: 1, missing: 0, duplicates: 0, conflicts: 0 }
  for (const audit of [
    { ...clean, missing: 1 },
    { ...clean, duplicates: 1 },
    { ...clean, conflicts: 1 },
    { ...clean, events: 0 },
  ])
    expect(failing({ audit })).toHaveLength(1)
  expect(failing({ audit: undefined })).toEqual(['the archive holds every event once: the audit could not be made'])
})

test('a dead letter fails the run', () => {
  expect(failing({ deadLetters: 1 })).toEqual(['no dead letters: 1'])
})

test('without a trace that holds both a failed and a successful attempt the run fails', () => {
  expect(failing({ journey: undefined })).toHaveLength(1)
})

test('a run in which nothing was registered proves nothing', () => {
  expect(failing({ registered: [] })).toHaveLength(1)
})
