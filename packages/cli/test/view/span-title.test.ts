import { expect, test } from 'vitest'
import { titleOf } from '../../src/view/span-title.ts'
import type { Span } from '@malha/operations'

const span = (name: string, attributes: Span['attributes'], failed = false): Span => ({
  traceId: 't',
  spanId: 's',
  parentId: undefined,
  service: 'x',
  name,
  startNs: 0n,
  endNs: 0n,
  failed,
  message: '',
  attributes,
})

test('two handlers of one event are told apart by their names, with a namespace too', () => {
  const durable = (name: string): Span['attributes'] => ({ 'messaging.consumer.group.name': name })
  expect(titleOf(span('process center.registered', durable('provider_maas')))).toBe('maas ← center.registered')
  expect(titleOf(span('process center.registered', durable('dev_city-registration_dmitri')))).toBe(
    'dmitri ← center.registered',
  )
})

test('a call says where it went, and how it failed', () => {
  const call = { 'http.request.method': 'POST', 'url.path': '/cities' }
  expect(titleOf(span('POST', call))).toBe('POST /cities')
  expect(titleOf(span('POST', { ...call, 'error.type': 'ECONNREFUSED' }, true))).toBe('POST /cities → ECONNREFUSED')
  expect(titleOf(span('POST', { ...call, 'http.response.status_code': 503 }, true))).toBe('POST /cities → 503')
})

test('any other span keeps its name', () => {
  expect(titleOf(span('POST /centers', { 'http.request.method': 'POST', 'url.path': '/centers' }))).toBe(
    'POST /centers',
  )
  expect(titleOf(span('publish provider.created', {}))).toBe('publish provider.created')
})
