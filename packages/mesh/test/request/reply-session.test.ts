import { expect, test } from 'vitest'
import { ReplySession } from '../../src/request/reply-session.ts'
import { type Incoming, REQUEST_HEADER, wholeNumber } from '../../src/request/wire.ts'

const asked = (window: string): Incoming => ({
  subject: 'request.a.b',
  reply: 'inbox',
  headers: { [REQUEST_HEADER.window]: window, [REQUEST_HEADER.idle]: '999999999999999' },
  payload: new Uint8Array(0),
  isNoResponder: false,
})

/** How many parts go out until the session waits for its requester. */
async function partsBefore(session: ReplySession): Promise<number> {
  for (;;) {
    const room = await Promise.race([session.room().then(() => 'yes'), new Promise((resolve) => setImmediate(resolve))])
    if (room !== 'yes') return session.sent
    session.next()
  }
}

test.each([
  ['999999999999999', 10_000],
  ['7', 7],
  ['0', 1],
  ['-3', 32],
  ['many', 32],
  ['99999999999999999999', 32],
])('of a requester that says it takes %s, %i parts are on their way at most', async (window, most) => {
  const session = new ReplySession(asked(window), () => undefined)
  expect(await partsBefore(session)).toBe(most)
  session.onControl(`more ${most + 999_999_999}`)
  expect(await partsBefore(session)).toBe(most + 10_000)
  session.onControl('more 1')
  session.onControl('more')
  session.onControl('more 1e9')
  expect(await partsBefore(session)).toBe(most + 10_000)
  session.close()
})

test('a number of a header is read up to 15 digits, and nothing that is no number', () => {
  expect(['0', '42', '999999999999999', '1000000000000000', '', '-1', '1.5', ' 1', undefined].map(wholeNumber)).toEqual(
    [0, 42, 999_999_999_999_999, ...Array<undefined>(6).fill(undefined)],
  )
})
