import { expect, test } from 'vitest'
import { MOST_DELAY_MS, readDelay } from '../../src/delay/delay.ts'
import { readRecurrence } from '../../src/delay/recurrence.ts'
import { parseSlot, slotName, slotOf, slotSubject } from '../../src/delay/slot.ts'
import { names } from '../../src/topology/names.ts'

const read = (options: object): unknown => readDelay('order.timed-out', options)

test('an event without a time is not delayed', () => {
  expect(read({})).toBeUndefined()
})

test('a time that is past is now', () => {
  expect(read({ deliverIn: -1 })).toEqual({ when: { inMs: 0 }, key: undefined })
  expect(read({ deliverAt: new Date(0), delayKey: 'k' })).toEqual({ when: { at: new Date(0) }, key: 'k' })
})

test('a time before there were clocks is the first the server can read, which is past too', () => {
  expect(read({ deliverAt: new Date(-8.64e15) })).toEqual({ when: { at: new Date(0) }, key: undefined })
  expect(read({ deliverAt: new Date('-000001-01-01T00:00:00Z') })).toEqual({
    when: { at: new Date(0) },
    key: undefined,
  })
})

test('ten years are taken, over a hundred are refused by name of the limit', () => {
  const tenYears = 10 * 365 * 86_400_000
  expect(read({ deliverIn: tenYears })).toEqual({ when: { inMs: tenYears }, key: undefined })
  expect(() => read({ deliverIn: MOST_DELAY_MS + 1 })).toThrow(/MESH_INVALID_DELAY: .*100 years/)
  expect(() => read({ deliverAt: new Date('2262-04-12T00:00:00Z') })).toThrow(/100 years/)
  expect(() => read({ deliverIn: Infinity })).toThrow(/100 years/)
})

test('every fault of a delay is told at once', () => {
  const fault = (): unknown =>
    read({ deliverIn: Number.NaN, deliverAt: new Date(Number.NaN), delayKey: '', once: true })
  expect(fault).toThrow(/both given.*deliverIn is no number.*no valid Date.*delayKey "" is empty.*once is asked/)
  expect(() => read({ delayKey: 'k' })).toThrow(/delayKey is given without/)
  expect(() => read({ deliverIn: '5' })).toThrow(/no number/)
  expect(() => read({ deliverAt: '2030-01-01' })).toThrow(/no valid Date/)
  expect(() => read({ deliverIn: 5, delayKey: 'k'.repeat(129) })).toThrow(/delayKey .* 128 at most/)
})

const recurrence = (options: object): unknown => readRecurrence('order.report-due', options as never)

test('a recurrence is read as the server takes it', () => {
  expect(recurrence({ name: 'n', everyMs: 90_000 })).toMatchObject({ schedule: '@every 90s' })
  expect(recurrence({ name: 'n', cron: ' 0  8 * * 1-5 ' })).toMatchObject({ schedule: '0 0 8 * * 1-5' })
  expect(recurrence({ name: 'n', cron: '*/5 0 8 * * ?' })).toMatchObject({ schedule: '*/5 0 8 * * ?' })
  expect(recurrence({ name: 'n', cron: '@daily', timeZone: 'europe/LISBON' })).toEqual({
    name: 'n',
    schedule: '@daily',
    timeZone: 'Europe/Lisbon',
  })
})

test('a recurrence that cannot be is refused with every fault', () => {
  expect(() => recurrence({ name: '', cron: '* *', everyMs: 1500, timeZone: 'Mars/Olympus' })).toThrow(
    /MESH_INVALID_DELAY: .*name "" is empty.*one of cron and everyMs.*everyMs is 1500; whole seconds.*not five fields.*"Mars\/Olympus" is unknown/,
  )
  expect(() => recurrence({ name: 'n' })).toThrow(/one of cron and everyMs/)
  expect(() => recurrence({ name: 'n', everyMs: 0 })).toThrow(/whole seconds from 1000/)
  expect(() => recurrence({ name: 'n', cron: '0 8 * * L#' })).toThrow(/other characters/)
  expect(() => recurrence({ name: 'n', cron: '@reboot' })).toThrow(/not five fields/)
  expect(() => recurrence({ name: 'n', cron: '@daily', timeZone: '+01:00' })).toThrow(/unknown/)
  expect(() => recurrence({ name: 'n', cron: '@daily', timeZone: 'Local' })).toThrow(/unknown/)
})

test('a slot is read back from its subject, whatever its name and type', () => {
  const of = names('t')
  for (const name of ['plain', 'a.b c', 'São Paulo', '=', 'x'.repeat(128)]) {
    const slot = slotOf('order.key.name', '_key', name)
    expect(parseSlot(of, slotSubject(of, slot))).toEqual(slot)
    expect(slotName(slot)).toBe(name)
  }
  expect(parseSlot(of, 't.delay.due.order.key')).toBeUndefined()
  expect(parseSlot(of, 't.delay.at.order.key.x')).toBeUndefined()
})
