import { describe, expect, it } from 'vitest'
import type { Notice } from '../../src/notify/notice.ts'
import { bodyOf, harmlessText, type Surroundings } from '../../src/notify/words.ts'

const nowMs = Date.parse('2026-11-22T10:15:00Z')
const letters: Notice = {
  kind: 'letters',
  group: '9f3c1a77e0',
  service: 'shop',
  handler: 'bill',
  code: 'HTTP_422',
  reason: 'HTTP_422: no such city',
  letters: 38,
  letter: 7,
  firstAt: '2026-11-22T10:00:00Z',
  lastAt: '2026-11-22T10:14:00Z',
}
const around: Surroundings = { namespace: '', format: 'json', consoleUrl: undefined, nowMs }
const said = (notice: Notice, more: Partial<Surroundings> = {}): Record<string, unknown> =>
  JSON.parse(bodyOf(notice, { ...around, ...more })) as Record<string, unknown>

describe('what people read', () => {
  it('says how many more letters there were, and in which time', () => {
    expect(said(letters)).toMatchObject({
      v: 1,
      at: '2026-11-22T10:15:00.000Z',
      text: 'Dead letter: shop/bill gave up a message, HTTP_422: no such city, and 37 more in the last 15 minutes',
      command: 'malha dlq list --group 9f3c1a77e0',
      link: null,
      letters: 38,
    })
    expect(said({ ...letters, service: null, handler: null, letters: 1 })['text']).toBe(
      'Dead letter: an event that a spool kept was refused for good, HTTP_422: no such city',
    )
  })

  it('leads to the console where there is one, and to a command where there is none', () => {
    const consoleUrl = new URL('https://malha.example.com/?x=1#y')
    const breaker: Notice = {
      kind: 'breaker',
      service: 'shop',
      handler: 'bill',
      since: letters.firstAt,
      instances: ['a'],
    }
    const links = [letters, breaker, { kind: 'stream', stream: 'ORDERS', used: 0.913 } as const].map((notice) => [
      said(notice, { consoleUrl })['link'],
      said(notice, { namespace: 'staging' })['command'],
    ])
    expect(links).toEqual([
      ['https://malha.example.com/letters?group=9f3c1a77e0', 'malha dlq list --group 9f3c1a77e0 --namespace staging'],
      ['https://malha.example.com/handlers?service=shop&handler=bill', 'malha handlers list --namespace staging'],
      ['https://malha.example.com/', 'malha streams --namespace staging'],
    ])
    expect(said({ kind: 'stream', stream: 'ORDERS', used: 0.913 })['text']).toBe(
      'Stream ORDERS is 91 % full; full, it refuses what comes',
    )
  })

  it('has nothing that acts on a terminal, turns the direction of writing or is longer than people read', () => {
    const hostile =
      '\u001B[31mred\u001B]8;;https://evil.example\u0007link\u001B]8;;\u0007 \u202Eevil\u2028\u0000\uD800 😀'
    expect(harmlessText(hostile)).toBe('redlink evil \uFFFD 😀')
    expect(Array.from(harmlessText('😀'.repeat(5000)))).toHaveLength(300)
    const { text, reason } = said({ ...letters, reason: hostile + 'x'.repeat(100_000) }) as {
      text: string
      reason: string
    }
    expect(text.length).toBeLessThan(1000)
    expect(reason.length).toBeLessThan(400)
    for (const each of [text, reason]) expect(each).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  })

  it('is no link, mention or format in a chat', () => {
    const { text } = said(
      { ...letters, reason: '<!here> `rm` *b* &amp; @channel', code: '`' },
      { format: 'slack' },
    ) as { text: string }
    expect(text).toContain("`&lt;!here&gt; 'rm' *b* &amp;amp; @channel`")
    expect(text).toMatch(/\n`malha dlq list --group 9f3c1a77e0`$/)
    expect(text.split('`').length % 2).toBe(1)
  })
})
