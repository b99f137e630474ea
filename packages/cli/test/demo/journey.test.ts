import { expect, test } from 'vitest'
import { failedBeforeDone } from '../../src/demo/journey.ts'
import type { Span } from '@malha/operations'

const attempt = (at: number, failed: boolean, over: Partial<Span> = {}): Span => ({
  traceId: 't',
  spanId: `s${at}`,
  parentId: undefined,
  service: 'city-registration',
  name: 'process center.registered',
  startNs: BigInt(at),
  endNs: BigInt(at + 1),
  failed,
  message: '',
  attributes: {},
  ...over,
})

test('failed attempts count when one succeeded after them', () => {
  expect(failedBeforeDone([attempt(1, true), attempt(3, true), attempt(5, false)])).toBe(2)
})

test('only failures, only a success, or a failure after it prove nothing', () => {
  expect(failedBeforeDone([attempt(1, true)])).toBe(0)
  expect(failedBeforeDone([attempt(1, false)])).toBe(0)
  expect(failedBeforeDone([attempt(1, false), attempt(3, true)])).toBe(0)
})

test('failures of other services and other spans are not dmitri attempts', () => {
  const others = [attempt(1, true, { service: 'provider' }), attempt(2, true, { name: 'POST' })]
  expect(failedBeforeDone([...others, attempt(5, false)])).toBe(0)
})
