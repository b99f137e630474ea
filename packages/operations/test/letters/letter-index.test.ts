import { expect, test } from 'vitest'
import type { LetterFilter } from '../../src/letters/letter-filter.ts'
import { LetterIndex } from '../../src/letters/letter-index.ts'
import type { Standing } from '../../src/letters/letter-row.ts'
import type { Letter } from '../../src/letters/letter.ts'

const COUNT = 200
const at = (n: number): string => new Date(1_795_271_400_000 + n * 1000).toISOString()

/** Handlers, codes and groups of these in turn; every third is resolved. */
function letterOf(n: number): Letter {
  const handler = `handler-${n % 2}`
  const code = n % 5 === 0 ? 'HTTP_422' : 'MESH_REJECTED'
  return {
    seq: n,
    subject: `dlq.shop_${handler}.ORDERS.1.${n}@${n}`,
    kind: n % 7 === 0 ? 'expired' : 'message',
    at: at(n),
    code,
    reason: 'no',
    errorClass: undefined,
    group: `${handler} ${code}`,
    groupReason: 'no',
    service: 'shop',
    handler,
    serviceVersion: undefined,
    attempts: 1,
    attemptTimes: [],
    origin: { stream: 'ORDERS', epoch: 1, seq: String(n), subject: 'order.placed', publishedAt: undefined },
    id: `id-${n}`,
    type: 'order.placed',
    key: undefined,
    correlationId: undefined,
    traceId: undefined,
    payloadBytes: 10,
  }
}

const letters = Array.from({ length: COUNT }, (_, index) => letterOf(index + 1))
const isResolved = ({ seq }: Letter): boolean => seq % 3 === 0
const resolved: Standing = { state: 'resolved', recordSeq: 1, editSeq: 0, isGone: false, run: 'r', redrives: 1 }

const filters: readonly LetterFilter[] = [
  { since: at(150) },
  { until: at(20) },
  { since: at(30), until: at(90), state: 'open' },
  { since: at(1), state: 'resolved', kind: 'message' },
  { since: at(1), service: 'shop', handler: 'handler-1', code: 'HTTP_422' },
  { until: at(100), group: 'handler-0 MESH_REJECTED', state: 'open' },
  { since: at(60), until: at(61), id: 'id-60' },
  { since: at(60), letters: [59, 60, 61] },
  { since: at(COUNT + 1) },
]

const fits = (filter: LetterFilter) => (letter: Letter) =>
  (filter.since === undefined || letter.at >= filter.since) &&
  (filter.until === undefined || letter.at < filter.until) &&
  (filter.state === undefined || (filter.state === 'resolved') === isResolved(letter)) &&
  (filter.letters === undefined || filter.letters.includes(letter.seq)) &&
  (['service', 'handler', 'code', 'group', 'id', 'kind'] as const).every(
    (name) => filter[name] === undefined || filter[name] === letter[name],
  )

test.each(filters)('letters between times are counted, alone and by group, as they are: %o', (filter) => {
  using index = new LetterIndex(':memory:')
  index.addLetters('DEAD_LETTERS/1', letters, COUNT)
  const standings = letters.filter(isResolved).map(({ subject }) => [subject, resolved] as const)
  index.addStandings('OPERATIONS/1', new Map(standings), 1)
  const found = letters.filter(fits(filter))
  expect(index.count(filter)).toBe(found.length)
  expect(index.page(filter, { limit: COUNT }).letters.map(({ seq }) => seq)).toEqual(
    found.map(({ seq }) => seq).toReversed(),
  )
  const groups = Array.from(
    Map.groupBy(found, ({ group }) => group),
    ([group, those]) => ({
      group,
      service: 'shop',
      handler: those[0]!.handler,
      code: those[0]!.code,
      errorClass: undefined,
      reason: 'no',
      letters: those.length,
      firstAt: those[0]!.at,
      lastAt: those.at(-1)!.at,
    }),
  )
  const byName = (a: { group: string }, b: { group: string }): number => a.group.localeCompare(b.group)
  expect(index.groups(filter, 100).toSorted(byName)).toEqual(groups.toSorted(byName))
})
