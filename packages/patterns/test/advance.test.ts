import { command, type Contract, event, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { advance, type Advance } from '../src/saga/advance.ts'
import type { SagaRecord } from '../src/saga/record.ts'
import { begins, type Next, saga, sagaTimeout, send, step, timedOut, undone } from '../src/saga/saga.ts'

const trips = stream('TRIPS', { subjects: ['trip.>'] })
const Ref = z.object({ id: z.string() })
type Ref = z.infer<typeof Ref>
const base = { stream: trips, schema: Ref, key: (ref: Ref) => ref.id }
const booked: Contract<Ref> = event('trip.booked', base)
const flight: Contract<Ref> = command('trip.book-flight', base)
const flown: Contract<Ref> = event('trip.flight-booked', base)
const cancelFlight: Contract<Ref> = command('trip.cancel-flight', base)
const flightCancelled: Contract<Ref> = event('trip.flight-cancelled', base)
const hotel: Contract<Ref> = command('trip.book-hotel', base)
const slept: Contract<Ref> = event('trip.hotel-booked', base)
const cancelHotel: Contract<Ref> = command('trip.cancel-hotel', base)
const full: Contract<Ref> = event('trip.car-full', base)
const paid: Contract<Ref> = event('trip.paid', base)

type Trip = { id: string; stops: string[] }

const trip = saga<Trip>('trip', {
  sends: [flight, cancelFlight, hotel, cancelHotel],
  timeout: sagaTimeout('trip.timed-out', trips),
  steps: {
    booked: begins(booked, ({ id }) => ({
      state: { id, stops: [] },
      send: [send(flight, { id })],
      timeouts: { slow: 1000 },
    })),
    flown: step(flown, (state, { id }) => ({ state: { ...state, stops: ['flight'] }, send: [send(hotel, { id })] }), {
      undo: ({ id }) => send(cancelFlight, { id }),
    }),
    unflown: undone(flightCancelled, 'flown'),
    slept: step(slept, (state) => ({ state: { ...state, stops: [...state.stops, 'hotel'] } }), {
      undo: ({ id }) => send(cancelHotel, { id }),
    }),
    full: step(full, (state) => ({ state, compensate: 'no-car' })),
    paid: step(paid, (state) => ({ state, end: 'paid' }), { absent: 'ignore' }),
    slow: timedOut('slow', (state) => ({ state, compensate: 'slow' })),
  },
})

const T0 = Date.parse('2026-11-21T12:00:00Z')
const AT = { stream: 'TRIPS', epoch: 1, seq: 1 }
let serial = 0

type More = { id?: string; data?: unknown; now?: number; seq?: number; epoch?: number }

function arrive(record: SagaRecord<Trip> | undefined, name: string, more: More = {}): Advance<Trip> {
  const one = trip.steps[name]!
  const type = one.kind === 'timed-out' ? trip.timeout!.type : one.contract.type
  const occasion = { id: more.id ?? `e${++serial}`, type, correlationId: 'c', at: new Date(T0) }
  const source = { stream: 'TRIPS', epoch: more.epoch ?? 1, seq: more.seq ?? serial }
  const data = more.data ?? { id: 't-1' }
  return advance(trip, record, { sagaId: 't-1', name, data, occasion, source, now: more.now ?? T0 })
}

function written(result: Advance<Trip>): { record: SagaRecord<Trip>; sends: string[] } {
  if (result.kind !== 'write') throw new Error(`it was to write, but: ${JSON.stringify(result)}`)
  return { record: result.record, sends: result.sends.map(({ type }) => type) }
}

/** A saga that went through these steps. */
function after(...names: string[]): SagaRecord<Trip> {
  let record: SagaRecord<Trip> | undefined
  for (const name of names) ({ record } = written(arrive(record, name)))
  return record!
}

test('an event that begins a saga makes its record and sends its command and its time-out', () => {
  const { record, sends } = written(arrive(undefined, 'booked', { id: 'first' }))
  expect(record).toMatchObject({ v: 1, status: 'running', state: { id: 't-1', stops: [] }, armed: 1 })
  expect(record.handled.map(({ id }) => id)).toEqual(['first'])
  expect(sends).toEqual(['trip.book-flight', 'trip.timed-out'])
  expect(record.timers).toEqual({ slow: { arm: 1, dueAt: '2026-11-21T12:00:01.000Z' } })
})

test('an event that comes again is answered with what was sent the first time, whatever the saga is by then', () => {
  const first = arrive(undefined, 'booked', { id: 'first' })
  const later = written(arrive(written(first).record, 'flown')).record
  const sends = first.kind === 'write' ? first.sends : []
  expect(arrive(later, 'booked', { id: 'first' })).toEqual({ kind: 'again', sends })
})

test('compensation undoes what was done in reverse, one at a time where each is confirmed', () => {
  const turned = written(arrive(after('booked', 'flown', 'slept'), 'full'))
  // The hotel has no confirmation, so the flight follows at once; that one is waited for.
  expect(turned.sends).toEqual(['trip.cancel-hotel', 'trip.cancel-flight'])
  expect(turned.record).toMatchObject({ status: 'compensating', outcome: 'no-car', undoing: 'flown' })
  const ended = written(arrive(turned.record, 'unflown'))
  expect(ended.sends).toEqual([])
  expect(ended.record).toMatchObject({ status: 'ended', outcome: 'no-car', done: [] })
  expect(ended.record.undoing).toBeUndefined()
})

test('a compensation with nothing done ends at once', () => {
  const turned = written(arrive(after('booked'), 'full'))
  expect(turned.record).toMatchObject({ status: 'ended', outcome: 'no-car' })
  expect(turned.sends).toEqual([])
})

test('what is done after the saga turned back is undone as well, and the outcome stays', () => {
  const ended = written(arrive(after('booked'), 'full')).record
  const reopened = written(arrive(ended, 'flown'))
  expect(reopened.sends).toEqual(['trip.cancel-flight'])
  expect(reopened.record).toMatchObject({ status: 'compensating', undoing: 'flown', outcome: 'no-car' })
  expect(written(arrive(reopened.record, 'unflown')).record).toMatchObject({ status: 'ended', outcome: 'no-car' })
})

test('what is done late while something else is being undone waits for its turn', () => {
  const turned = written(arrive(after('booked', 'flown'), 'full')).record
  const late = written(arrive(turned, 'slept'))
  expect(late.sends).toEqual([])
  const last = written(arrive(late.record, 'unflown'))
  expect(last.sends).toEqual(['trip.cancel-hotel'])
  expect(last.record.status).toBe('ended')
})

test('a step that is done again while it is being undone is undone too, each of both once', () => {
  const cancelled = (result: Advance<Trip>): unknown[] =>
    result.kind === 'write' ? result.sends.map(({ data }) => (data as Ref).id) : []
  const first = written(arrive(after('booked'), 'flown', { data: { id: 'flight-1' } })).record
  const turned = arrive(first, 'full')
  const late = arrive(written(turned).record, 'flown', { data: { id: 'flight-2' } })
  const confirmed = arrive(written(late).record, 'unflown')
  expect([turned, late, confirmed].map(cancelled)).toEqual([['flight-1'], [], ['flight-2']])
  expect(written(arrive(written(confirmed).record, 'unflown')).record.status).toBe('ended')
})

test('an event for a saga that ended well changes nothing', () => {
  expect(arrive(after('booked', 'paid'), 'flown').kind).toBe('pass')
})

test('only the time-out that was set last counts, by whatever clock, and not twice', () => {
  const record = after('booked')
  const data = { sagaId: 't-1', name: 'slow', arm: 1 }
  expect(arrive(record, 'slow', { data: { ...data, arm: 7 }, now: T0 + 1000 }).kind).toBe('pass')
  const late = written(arrive(record, 'slow', { data, now: T0 - 3_600_000 })).record
  expect(late).toMatchObject({ status: 'ended', outcome: 'slow' })
  expect(arrive(late, 'slow', { data, now: T0 + 1000 }).kind).toBe('pass')
})

test('an event for a saga that never began is refused by a code of its own, unless the step says otherwise', () => {
  expect(() => arrive(undefined, 'flown')).toThrow('PATTERNS_SAGA_NOT_BEGUN: trip.flight-booked is for saga trip t-1')
  expect(arrive(undefined, 'paid').kind).toBe('pass')
})

test('a second event that would begin a saga is refused', () => {
  expect(() => arrive(after('booked'), 'booked', { id: 'other' })).toThrow('PATTERNS_SAGA_BEGAN_BEFORE')
})

test('a step that asks for what the mesh would refuse is refused before anything is written', () => {
  const occasion = { id: 'x', type: booked.type, correlationId: 'c', at: new Date(T0) }
  const run = (next: Partial<Next<Trip>>): unknown => {
    const begin = begins<Trip, Ref, Ref>(booked, ({ id }) => ({ state: { id, stops: [] }, ...next }))
    const slow = timedOut<Trip>('slow', (state) => ({ state }))
    const timeout = sagaTimeout('trip.timed-out', trips)
    const odd = saga<Trip>('odd', { sends: [flight], timeout, steps: { booked: begin, slow } })
    return advance(odd, undefined, {
      sagaId: 't-1',
      name: 'booked',
      data: { id: 't-1' },
      occasion,
      source: AT,
      now: T0,
    })
  }
  expect(() => run({ timeouts: { slow: -1 } })).toThrow('PATTERNS_INVALID_STEP')
  expect(() => run({ timeouts: { slow: Number.NaN } })).toThrow('time-out slow is NaN ms')
  expect(() => run({ timeouts: { slow: 4e12 } })).toThrow('100 years')
  expect(() => run({ timeouts: { other: 1 } })).toThrow('for which there is no step')
  expect(() => run({ send: Array.from({ length: 901 }, () => send(flight, { id: 't-1' })) })).toThrow('901 messages')
  expect(() => run({ end: 'a', compensate: 'b' })).toThrow('both ends and compensates')
})

test('a definition is refused with all its faults', () => {
  expect(() =>
    saga<Trip>('Trip', {
      sends: [],
      steps: {
        flown: step(flown, (state) => ({ state })),
        again: step(flown, (state) => ({ state })),
        gone: undone(flightCancelled, 'flown'),
        late: timedOut('late', (state) => ({ state })),
      },
      version: 2,
    }),
  ).toThrow(
    /Trip.*: 6 faults[^]*no step begins it[^]*upcast[^]*is step flown already[^]*no step flown with an undo[^]*sagaTimeout/,
  )
})

test('a step that sends what the saga does not declare is refused', () => {
  const begin = begins<Trip, Ref, Ref>(booked, ({ id }) => ({ state: { id, stops: [] }, send: [send(flight, { id })] }))
  const odd = saga<Trip>('odd', { sends: [], steps: { booked: begin } })
  const occasion = { id: 'x', type: booked.type, correlationId: 'c', at: new Date(T0) }
  expect(() =>
    advance(odd, undefined, { sagaId: 't-1', name: 'booked', data: { id: 't-1' }, occasion, source: AT, now: T0 }),
  ).toThrow('PATTERNS_INVALID_STEP: saga odd t-1, step booked: it sends trip.book-flight')
})

test('an event that comes again after more than a saga remembers is refused, not handled a second time', () => {
  let record = after('booked')
  const pass = (name: string, more: More): void => void ({ record } = written(arrive(record, name, more)))
  pass('flown', { id: 'once', seq: 1000 })
  // Events come in any order.
  for (let n = 0; n < 499; n++) pass('slept', { id: `n${n}`, seq: n % 2 ? 2000 + n : 900 - n })
  expect(arrive(record, 'flown', { id: 'once', seq: 1000 })).toMatchObject({ kind: 'again' })
  pass('slept', { id: 'last', seq: 3000 })
  expect(record.handled.length).toBe(500)
  expect(record.forgotten).toEqual([{ stream: 'TRIPS', epoch: 1, seq: 1000 }])
  for (const seq of [1000, 901])
    expect(() => arrive(record, 'flown', { id: 'once', seq })).toThrow(
      /PATTERNS_SAGA_TOO_LATE: trip.flight-booked at sequence .* stands before what saga trip t-1 remembers/,
    )
  pass('slept', { id: 'later', seq: 1001 })
  // A stream that was made again counts anew.
  pass('slept', { id: 'anew', seq: 3, epoch: 2 })
})
