import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  { since: at(30), state: ['open', 'late'], kind: 'message' },
  { since: at(1), service: 'shop', handler: 'handler-1', code: 'HTTP_422' },
  { until: at(100), group: 'handler-0 MESH_REJECTED', state: 'open' },
  { since: at(60), until: at(61), id: 'id-60' },
  { since: at(60), letters: [59, 60, 61] },
  { since: at(COUNT + 1) },
]

const claimed = (recordSeq: number): Standing => ({ ...resolved, state: 'redriven', recordSeq })

const fits = (filter: LetterFilter) => (letter: Letter) =>
  (filter.since === undefined || letter.at >= filter.since) &&
  (filter.until === undefined || letter.at < filter.until) &&
  (filter.state === undefined || [filter.state].flat().includes(isResolved(letter) ? 'resolved' : 'open')) &&
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

test('what is under way is found where it is, and is read again from the streams when nobody asked before the end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'malha-index-'))
  const file = join(folder, 'letters.sqlite')
  const [one, two, three] = letters.map(({ subject }) => subject) as [string, string, string]
  {
    using index = new LetterIndex(file)
    index.addLetters('DEAD_LETTERS/1', letters, COUNT)
    index.addStandings('OPERATIONS/1', new Map([[one, claimed(1)]]), 1)
    expect(index.count({ state: 'redriven' })).toBe(1)
    const next = [
      [one, { ...resolved, recordSeq: 4 }],
      [two, claimed(2)],
      [three, claimed(3)],
    ] as const
    index.addStandings('OPERATIONS/1', new Map(next), 4)
    expect(index.untilOf('records', 'OPERATIONS/1')).toBe(4)
    expect(index.standingOf(two)).toEqual(claimed(2))
    const found = index.onwards({}, { after: 0, upTo: 3, limit: 10 })
    expect(found.map(({ state, recordSeq }) => [state, recordSeq])).toEqual([
      ['resolved', 4],
      ['redriven', 2],
      ['redriven', 3],
    ])
  }
  {
    using index = new LetterIndex(file)
    expect(index.untilOf('records', 'OPERATIONS/1')).toBe(1)
    expect(index.page({ state: 'redriven' }, {}).letters).toEqual([])
    // Whoever reads on knows at last what another one knew before: nothing older is written over it.
    using other = new LetterIndex(file)
    other.addStandings('OPERATIONS/1', new Map([[two, { ...resolved, recordSeq: 5 }]]), 5)
    index.addStandings('OPERATIONS/1', new Map([[two, claimed(2)]]), 2)
    expect(index.page({ state: 'redriven' }, {}).letters).toEqual([])
    expect(index.letter(2)).toMatchObject({ state: 'resolved', recordSeq: 5 })
    expect(index.untilOf('records', 'OPERATIONS/1')).toBe(5)
  }
  await rm(folder, { recursive: true })
})

test('how a letter stands is known when the index has no such letter yet, and when its stream was read anew', () => {
  using index = new LetterIndex(':memory:')
  const [one, two] = letters.map(({ subject }) => subject) as [string, string]
  index.addStandings('OPERATIONS/1', new Map([[one, { ...resolved, recordSeq: 1 }]]), 1)
  index.addLetters('DEAD_LETTERS/1', letters, COUNT)
  expect(index.page({ state: 'resolved' }, {}).letters.map(({ subject }) => subject)).toEqual([one])
  const discarded: Standing = { ...resolved, state: 'discarded', recordSeq: 2 }
  const next = new Map([
    [one, discarded],
    [two, { ...resolved, recordSeq: 3 }],
  ])
  index.addStandings('OPERATIONS/1', next, 3)
  index.forgetLetters()
  expect(index.size).toBe(0)
  expect(index.standingOf(one)).toMatchObject({ state: 'discarded', recordSeq: 2 })
  index.addLetters('DEAD_LETTERS/1', letters, COUNT)
  expect(index.page({ state: ['discarded', 'resolved'] }, {}).letters.map(({ subject }) => subject)).toEqual([two, one])
})
