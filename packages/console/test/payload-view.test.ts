import { expect, it } from 'vitest'
import { payloadView as viewOf } from '../src/api/payload-view.ts'

const redaction = { hidden: 0, withheld: undefined }
const payloadView = (shown: Omit<Parameters<typeof viewOf>[0], 'redaction'>): ReturnType<typeof viewOf> =>
  viewOf({ ...shown, redaction })
const of = (text: string): Uint8Array => new TextEncoder().encode(text)

it('JSON is shown with line breaks, text as it is, bytes as a dump', () => {
  expect(payloadView({ payload: of('{"a":1}') })).toEqual({
    bytes: 7,
    form: 'json',
    text: '{\n  "a": 1\n}',
    isCut: false,
    hidden: 0,
  })
  expect(payloadView({ payload: of('{"a":') })).toMatchObject({ form: 'text', text: '{"a":' })
  expect(payloadView({ payload: new Uint8Array([0, 255, 65, 10]) })).toMatchObject({
    form: 'binary',
    text: expect.stringMatching(/^000000 {2}00 ff 41 0a +\.\.A\.$/),
  })
  expect(payloadView({ payload: new Uint8Array() })).toMatchObject({ form: 'empty' })
  expect(payloadView({ payload: new Uint8Array(), hasPayload: false })).toMatchObject({ form: 'left-out' })
  expect(payloadView({ payload: new Uint8Array(), kind: 'expired' })).toMatchObject({ form: 'expired' })
})

it('a number is shown as it was written, though no program here could keep it', () => {
  expect(payloadView({ payload: of('{"n":9007199254740993,"x":1.0}') }).text).toBe(
    '{\n  "n": 9007199254740993,\n  "x": 1.0\n}',
  )
})

it('of a megabyte the beginning is shown, whatever it is', () => {
  const long = JSON.stringify({ list: Array.from({ length: 90_000 }, (_, n) => `item ${n}`) })
  for (const payload of [of(long), of('x'.repeat(1024 ** 2)), new Uint8Array(1024 ** 2).fill(255)]) {
    const shown = payloadView({ payload })
    expect(shown).toMatchObject({ bytes: payload.length, isCut: true })
    expect(shown.text!.length).toBeLessThanOrEqual(64 * 1024)
  }
})

it('what is hidden is said, with why', () => {
  expect(viewOf({ payload: new Uint8Array(), redaction: { hidden: 0, withheld: 'nobody said its contract' } })).toEqual(
    {
      bytes: 0,
      form: 'hidden',
      isCut: false,
      hidden: 0,
      withheld: 'nobody said its contract',
    },
  )
  expect(viewOf({ payload: of('{}'), redaction: { hidden: 2, withheld: undefined } })).toMatchObject({
    form: 'json',
    hidden: 2,
  })
})
