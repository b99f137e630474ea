import { expect, test } from 'vitest'
import { applyToStatus, joinStatus, type StatusChange } from '../src/status/apply.ts'
import {
  attemptChange,
  cityChange,
  onboardedChange,
  providerChange,
  refusedChange,
  registeredChange,
} from '../src/status/changes.ts'
import type { CenterStatus } from '../src/status/status.ts'
import { viewOf } from '../src/status/view.ts'

const centerId = 'ctr_1'
const center = { centerId, name: 'Recife', city: { name: 'Recife', state: 'Pernambuco', country: 'BR' } }
const traceId = '0af7651916cd43dd8448eb211c80319c'

function at(stream: string, seq: number, epoch = 1) {
  const second = String(seq).padStart(2, '0')
  return { stream, epoch, seq, at: `2026-11-20T12:00:${second}.000Z`, traceparent: `00-${traceId}-b7ad6b7169203331-01` }
}

const record = {
  id: `${centerId}.registered`,
  type: 'center.registered',
  key: centerId,
  service: 'city-registration',
  stream: 'CENTERS',
  epoch: 1,
  seq: 1,
}

function attempt(handler: string, number: number, outcome: 'retry' | 'dead-letter' = 'retry') {
  const occurrence = at('MESH', 10 + number)
  return attemptChange(
    {
      ...record,
      handler,
      attempt: number,
      code: 'ECONNREFUSED',
      message: 'refused',
      at: occurrence.at,
      nextAttemptAt: outcome === 'retry' ? '2026-11-20T12:01:00.000Z' : null,
      outcome,
    },
    occurrence,
  )!
}

const registered = registeredChange(center, at('CENTERS', 1))
const senninha = providerChange({ centerId, system: 'senninha', providerId: 's-1' }, at('PARTNERS', 4))
const maas = providerChange({ centerId, system: 'maas', providerId: 'm-1' }, at('PARTNERS', 5))
const city = cityChange({ centerId, registrationId: 'r-1' }, at('PARTNERS', 6))
const onboarded = onboardedChange({ centerId }, at('CENTERS', 9))
const failedOnce = attempt('dmitri', 1)
const failedTwice = attempt('dmitri', 2)
const journey = [registered, senninha, maas, city, onboarded, failedOnce, failedTwice]

function fold(changes: readonly StatusChange[]): CenterStatus {
  return changes.reduce<CenterStatus | undefined>((status, change) => applyToStatus(status, change), undefined)!
}

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield []
  for (const [index, item] of items.entries())
    for (const rest of permutations(items.toSpliced(index, 1))) yield [item, ...rest]
}

test('every one of the 5040 orders of a journey ends in the same status', () => {
  const orders = [...permutations(journey)]
  expect(orders).toHaveLength(5040)
  expect(new Set(orders.map((order) => canonical(fold(order))))).toStrictEqual(new Set([canonical(fold(journey))]))
})

test('a replay of any part in any order changes nothing, and says so by returning the same object', () => {
  const status = fold(journey)
  for (const change of [...journey, ...journey.toReversed()]) expect(applyToStatus(status, change)).toBe(status)
})

test('two halves joined are the whole, wherever it is cut', () => {
  for (let cut = 1; cut < journey.length; cut++) {
    const [a, b] = [fold(journey.slice(0, cut)), fold(journey.slice(cut))]
    expect(canonical(joinStatus(a, b))).toBe(canonical(fold(journey)))
    expect(canonical(joinStatus(b, a))).toBe(canonical(fold(journey)))
  }
})

test('the entry keeps the last applied sequence of each stream', () => {
  expect(fold([city, senninha, onboarded, registered]).applied).toStrictEqual({
    PARTNERS: { epoch: 1, seq: 6 },
    CENTERS: { epoch: 1, seq: 9 },
  })
})

test('the first telling of a fact holds: a registration told again does not become younger', () => {
  const again = registeredChange({ ...center, name: 'Other' }, at('CENTERS', 2, 2))
  expect(viewOf(fold([again, registered]))).toMatchObject({ name: 'Recife', registeredAt: '2026-11-20T12:00:01.000Z' })
})

test('a centre is registered, then onboarding, then onboarded', () => {
  const states = journey.map((_change, count) => viewOf(fold(journey.slice(0, count + 1)))?.status)
  expect(states).toStrictEqual([
    'registered',
    'onboarding',
    'onboarding',
    'onboarding',
    'onboarded',
    'onboarded',
    'onboarded',
  ])
})

test('a centre whose partner events came first has no view until its registration is known', () => {
  expect(viewOf(fold([senninha]))).toBeUndefined()
})

test('a partner that failed is waited for, with its last failure and the next attempt', () => {
  expect(viewOf(fold([registered, failedTwice, failedOnce]))).toMatchObject({
    status: 'onboarding',
    traceId,
    partners: {
      senninha: { state: 'pending', attempts: 0 },
      dmitri: {
        state: 'waiting',
        attempts: 2,
        lastFailure: { attempt: 2, code: 'ECONNREFUSED', at: '2026-11-20T12:00:12.000Z' },
        nextAttemptAt: '2026-11-20T12:01:00.000Z',
      },
    },
  })
})

test('done outlasts a failure that is reported afterwards', () => {
  const dmitri = viewOf(fold([registered, city, failedTwice]))?.partners.dmitri
  expect(dmitri).toMatchObject({ state: 'done', attempts: 3, registrationId: 'r-1' })
  expect(dmitri).not.toHaveProperty('nextAttemptAt')
})

const refused = refusedChange(
  {
    id: `${centerId}.registered`,
    type: 'center.registered',
    key: centerId,
    code: 'MESH_ID_CONFLICT',
    message: 'the id is taken',
    queuedAt: '2026-11-20T11:00:00.000Z',
    at: '2026-11-20T11:30:00.000Z',
    instance: 'a',
    stream: 'CENTERS',
    letter: 'dlq._spool.CENTERS.x.1',
  },
  at('MESH', 20),
)!

test('a registration that was refused after it was answered is a failed centre, whatever comes before and after', () => {
  const failure = { code: 'idempotency-conflict', at: '2026-11-20T11:30:00.000Z' }
  for (const at of journey.keys()) {
    const view = viewOf(fold(journey.toSpliced(at, 0, refused)))
    expect(view).toMatchObject({ status: 'failed', name: 'Recife', failure })
  }
})

test('a registration that was never stored is a failed centre without a name, known since it was answered', () => {
  const view = viewOf(fold([refused]))
  expect(view).toMatchObject({ id: centerId, status: 'failed', registeredAt: '2026-11-20T11:00:00.000Z', traceId })
  expect(view).not.toHaveProperty('name')
})

test('what was refused of another type is no matter of a centre', () => {
  const other = { ...record, code: 'X', message: '', queuedAt: '', at: '', instance: '', letter: '' }
  expect(refusedChange({ ...other, type: 'order.placed' }, at('MESH', 1))).toBeUndefined()
})

test('a dead letter is a failed partner and a failed centre, until a redrive gets it done', () => {
  const failed = fold([registered, senninha, maas, attempt('dmitri', 3, 'dead-letter')])
  expect(viewOf(failed)).toMatchObject({ status: 'failed', partners: { dmitri: { state: 'failed', attempts: 3 } } })
  expect(viewOf(applyToStatus(applyToStatus(failed, city), onboarded))?.status).toBe('onboarded')
})

test('attempts of other handlers, at other events or without a key are nobody’s', () => {
  const failure = { handler: 'dmitri', attempt: 1, code: 'X', message: 'm', at: '', nextAttemptAt: null }
  const full = { ...record, ...failure, outcome: 'retry' } as const
  const occurrence = at('MESH', 1)
  expect(attemptChange(full, occurrence)).toBeDefined()
  expect(attemptChange({ ...full, handler: 'audit' }, occurrence)).toBeUndefined()
  expect(attemptChange({ ...full, type: 'provider.created' }, occurrence)).toBeUndefined()
  expect(attemptChange({ ...full, key: undefined }, occurrence)).toBeUndefined()
  expect(attemptChange({ ...full, key: 'no id' }, occurrence)).toBeUndefined()
})

test('an event without a trace gives a centre without one', () => {
  const untraced = registeredChange(center, { ...at('CENTERS', 1), traceparent: undefined })
  expect(viewOf(fold([untraced]))?.traceId).toBeNull()
})

/** JSON with sorted keys: the order in which facts came shows in the order of keys, and means nothing. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
