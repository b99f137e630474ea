import type { AttemptFailed } from '@malha/mesh'
import { expect, test } from 'vitest'
import { decide, type Situation } from '../../src/why/decide.ts'
import type { HandlerFacts, LetterFact, LiveFact, Position, RunFact } from '../../src/why/facts.ts'
import type { RunHop } from '../../src/why/run-records.ts'

const NOW = Date.parse('2026-11-21T12:00:00.000Z')
const LATER = '2026-11-21T12:05:00.000Z'
const BEFORE = '2026-11-21T11:55:00.000Z'

const attempt = (n: number, nextAttemptAt: string | null): AttemptFailed => ({
  id: 'e-1',
  type: 'center.registered',
  key: 'c-17',
  service: 'provider',
  handler: 'senninha',
  attempt: n,
  code: 'HTTP_503',
  message: 'HTTP_503: try later',
  at: BEFORE,
  nextAttemptAt,
  outcome: nextAttemptAt === null ? 'dead-letter' : 'retry',
  stream: 'CENTERS',
  epoch: 1,
  seq: 17,
})
const letter = (over: Partial<LetterFact> = {}): LetterFact => ({
  seq: 42,
  code: 'HTTP_422',
  reason: 'no such city',
  at: BEFORE,
  state: 'open',
  changedAt: undefined,
  run: undefined,
  who: undefined,
  why: undefined,
  ...over,
})
const live = (over: Partial<LiveFact> = {}): LiveFact => ({
  instances: 1,
  paused: undefined,
  breaker: undefined,
  delayedUntil: undefined,
  fullPartitions: [],
  ...over,
})
const paused = { until: LATER, who: 'ana', reason: 'Senninha moves' }
const breaker = { since: BEFORE, probeAt: LATER }
const kept = { attempts: 6, failures: 6, firstFailureAt: NOW - 60_000, dueAt: Date.parse(LATER), delayMs: 60_000 }

const facts = (position: Position, over: Partial<HandlerFacts> = {}): HandlerFacts => ({
  service: 'provider',
  handler: 'senninha',
  nowMs: NOW,
  event: 'center.registered c-17',
  stream: 'CENTERS',
  seq: 17,
  isInStream: true,
  isAccounted: true,
  position,
  attempts: [],
  letter: undefined,
  expired: undefined,
  waiting: undefined,
  isQueued: false,
  givenUpAt: undefined,
  inRun: undefined,
  runs: [],
  doneAt: undefined,
  isPulled: true,
  live: live(),
  ...over,
})
const inRun = (over: Partial<RunFact> = {}): RunFact => ({
  run: 'r1',
  kind: 'redrive',
  begunAt: BEFORE,
  waiting: undefined,
  ...over,
})
const hop = (over: Partial<RunHop>): RunHop => ({
  run: 'r1',
  kind: 'redrive',
  at: BEFORE,
  result: 'under-way',
  endedAt: undefined,
  attempts: 1,
  code: undefined,
  message: undefined,
  traceId: undefined,
  copyId: undefined,
  ...over,
})
const settled: Position = { kind: 'settled' }
const ahead: Position = { kind: 'ahead', before: 3 }
const delivered: Position = { kind: 'delivered', floor: 11 }
const behind: Position = { kind: 'behind', seq: 912, id: 'e-0', retry: kept }

const TABLE: readonly (readonly [
  title: string,
  given: HandlerFacts,
  situation: Situation,
  sentence: RegExp,
  next?: string,
])[] = [
  [
    'a letter',
    facts(settled, { letter: letter(), attempts: [attempt(1, null)] }),
    'dead-letter',
    /is dead letter 42 of provider\/senninha \(open\): HTTP_422: no such city$/,
    'malha dlq show 42',
  ],
  [
    'a letter that a run sent, whose handler is paused',
    facts(settled, { letter: letter(), inRun: inRun({ begunAt: undefined }), live: live({ paused }) }),
    'paused',
    /^center\.registered c-17, in run r1, waits: provider\/senninha is paused by ana until/,
    'malha handlers resume provider/senninha',
  ],
  [
    'a letter that a run sent',
    facts(settled, { letter: letter(), inRun: inRun({ begunAt: undefined }) }),
    'redriving',
    /^center\.registered c-17, in run r1, waits on the lane of provider\/senninha for its turn$/,
    'malha runs show r1',
  ],
  [
    'an event of a replay that waits for another attempt',
    facts(settled, { inRun: inRun({ kind: 'replay', waiting: { dueAt: LATER, attempts: 2 } }) }),
    'replaying',
    /^center\.registered c-17, in run r1, waits for attempt 3 of provider\/senninha at 2026-11-21T12:05/,
    'malha runs show r1',
  ],
  [
    'an event of a replay that its process holds until it is tried again',
    facts(settled, { inRun: inRun({ kind: 'replay' }), attempts: [attempt(1, LATER)] }),
    'replaying',
    /^center\.registered c-17, in run r1, waits for attempt 2 of .* at 2026-11-21T12:05.* \(attempt 1 failed: HTTP_503: try later\)$/,
    'malha runs show r1',
  ],
  [
    'a letter that failed again',
    facts(settled, { letter: letter(), runs: [hop({ result: 'failed', endedAt: LATER })] }),
    'dead-letter',
    /no such city; run r1 sent it again, and it failed again at 2026-11-21T12:05/,
    'malha dlq show 42',
  ],
  [
    'an event that was replayed',
    facts(settled, { runs: [hop({ kind: 'replay', result: 'ok', endedAt: LATER })] }),
    'done',
    /is done by provider\/senninha; run r1 sent it again, and it was done at 2026-11-21T12:05/,
  ],
  [
    'a letter that a run took',
    facts(settled, { letter: letter({ state: 'redriven', run: 'r1', changedAt: BEFORE }) }),
    'redriving',
    /again by run r1, which began with it at 2026-11-21T11:55/,
    'malha runs show r1',
  ],
  [
    'a letter that a run resolved',
    facts(settled, { letter: letter({ state: 'resolved', run: 'r1', changedAt: BEFORE }) }),
    'done',
    /is done by provider\/senninha at .*, sent again by run r1$/,
  ],
  [
    'a discarded letter',
    facts(settled, { letter: letter({ state: 'discarded', who: 'ana', why: 'a test', changedAt: BEFORE }) }),
    'discarded',
    /by ana at .*: a test$/,
    'malha dlq show 42',
  ],
  [
    'a letter of a range it is in',
    facts(settled, { isInStream: false, expired: { letter: 7, range: '3-20' } }),
    'expired',
    /left CENTERS before provider\/senninha was done with it: letter 7, sequences 3-20$/,
    'malha dlq show 7',
  ],
  [
    'an event that is gone and was not delivered',
    facts(ahead, { isInStream: false }),
    'expired',
    /is not known to have been done with it/,
  ],
  [
    'an event that is gone and was settled',
    facts(settled, { isInStream: false }),
    'done',
    /is done by provider\/senninha$/,
  ],
  [
    'an event that is gone, and that no checkpoint is past',
    facts(settled, { isInStream: false, isAccounted: false }),
    'expired',
    /left CENTERS, and provider\/senninha is not known to have been done with it/,
  ],
  [
    'what the server told that it gave up, though its durable is past it',
    facts(settled, { givenUpAt: BEFORE }),
    'given-up',
    /was given up by the server for provider\/senninha at 2026-11-21T11:55.*max_deliver/,
    'start provider, or restart its instances',
  ],
  ['what it gave up, and was done', facts(settled, { givenUpAt: BEFORE, doneAt: LATER }), 'done', /is done/],
  ['an event that its durable is past', facts(settled), 'done', /is done by provider\/senninha$/],
  [
    'one that took attempts',
    facts(settled, { attempts: [attempt(1, BEFORE), attempt(2, BEFORE)] }),
    'done',
    /, after 2 failed attempts$/,
  ],
  [
    'one with a marker above the floor',
    facts(delivered, { doneAt: BEFORE }),
    'done',
    /done by provider\/senninha at 2026-11-21T11:55/,
  ],
  ['one that is done, of a paused handler', facts(settled, { live: live({ paused }) }), 'done', /done/],
  [
    'one from before the handler',
    facts({ kind: 'before', since: 'it takes what came from X on' }),
    'not-taken',
    /began behind center\.registered c-17: it takes what came from X on$/,
  ],
  [
    'a paused handler',
    facts(ahead, { live: live({ paused, breaker }) }),
    'paused',
    /is paused by ana until 2026-11-21T12:05:00.000Z \(Senninha moves\)$/,
    'malha handlers resume provider/senninha',
  ],
  [
    'one paused for good, which nobody runs',
    facts(ahead, { live: live({ instances: 0, paused: { ...paused, until: null } }) }),
    'paused',
    /paused by ana \(Senninha moves\)$/,
    'malha handlers resume provider/senninha',
  ],
  [
    'an open breaker',
    facts(ahead, { live: live({ breaker }) }),
    'breaker-open',
    /is open since .*11:55.* and tries one message at .*12:05/,
  ],
  [
    'an open breaker, and a copy that waits',
    facts(settled, { live: live({ breaker }), waiting: { dueAt: LATER, attempts: 6 }, attempts: [attempt(6, LATER)] }),
    'breaker-open',
    /\(attempt 6 failed: HTTP_503: try later\)$/,
  ],
  [
    'a partner that asked to be left alone',
    facts(ahead, { live: live({ delayedUntil: LATER }) }),
    'asked-to-wait',
    /left alone until 2026-11-21T12:05/,
  ],
  [
    'nobody who answers',
    facts(ahead, { live: live({ instances: 0 }), isPulled: false }),
    'no-instance',
    /no instance of provider pulls for provider\/senninha$/,
    'start provider, or see why it does not come up',
  ],
  [
    'nobody who answers, and an event that was delivered',
    facts(delivered, { live: live({ instances: 0 }), isPulled: false }),
    'no-instance',
    /no instance/,
  ],
  [
    'nobody who pulls, where nobody could be asked',
    facts(ahead, { live: live({ instances: undefined }), isPulled: false }),
    'no-instance',
    /no instance/,
  ],
  [
    'a copy on the lane',
    facts(settled, { waiting: { dueAt: LATER, attempts: 6 }, attempts: [attempt(6, LATER)] }),
    'retry',
    /waits for attempt 7 of provider\/senninha at 2026-11-21T12:05:00.000Z \(attempt 6 failed: HTTP_503: try later\)$/,
  ],
  ['a retry in the process', facts(delivered, { attempts: [attempt(2, LATER)] }), 'retry', /waits for attempt 3/],
  [
    'a retry whose time has come',
    facts(delivered, { attempts: [attempt(2, BEFORE)] }),
    'in-hand',
    /in hand or has just done it \(attempt 2 failed/,
  ],
  ['a copy that is due', facts(settled, { isQueued: true }), 'in-hand', /is due on the lane of provider\/senninha/],
  [
    'one behind a dead letter of its key',
    facts({ kind: 'behind-letter', seq: 912, letter: 17 }),
    'behind-letter',
    /is held behind dead letter 17 of its key in provider\/senninha/,
    'malha dlq show 17',
  ],
  [
    'one behind another of its key',
    facts(behind),
    'behind-key',
    /waits behind sequence 912 of its key in provider\/senninha, which waits for attempt 7 at 2026-11-21T12:05/,
    'malha why e-0',
  ],
  [
    'one behind another that runs',
    facts({ kind: 'behind', seq: 912, id: undefined, retry: undefined }),
    'behind-key',
    /of its key in provider\/senninha$/,
  ],
  ['the first of its key', facts({ kind: 'held', retry: kept }), 'retry', /waits for attempt 7 .* at 2026-11-21T12:05/],
  ['one that runs', facts({ kind: 'running' }), 'in-hand', /in hand/],
  [
    'one that is not delivered',
    facts(ahead),
    'waiting',
    /not delivered to provider\/senninha yet: 3 before it in CENTERS at most$/,
    'malha handlers list',
  ],
  [
    'one that is not read',
    facts({ kind: 'unread', read: 9, partition: 3, keysBehindLetters: 2 }, { live: live({ fullPartitions: [4] }) }),
    'waiting',
    /is at sequence 9 of CENTERS$/,
    'malha handlers list',
  ],
  [
    'one of a partition of which as many keys wait as may, for letters',
    facts({ kind: 'unread', read: 9, partition: 3, keysBehindLetters: 998 }, { live: live({ fullPartitions: [3] }) }),
    'partition-full',
    /partition 3 reads nothing new, because as many of its keys wait as may, 998 of them behind dead letters$/,
    'malha dlq list --state open --service provider --handler senninha',
  ],
  [
    'the same, for retries',
    facts({ kind: 'unread', read: 9, partition: 3, keysBehindLetters: 0 }, { live: live({ fullPartitions: [3] }) }),
    'partition-full',
    /partition 3 reads nothing new, because as many of its keys wait as may$/,
    'malha handlers list',
  ],
  [
    'a handler without its durable',
    facts({ kind: 'nowhere' }),
    'waiting',
    /its durable on CENTERS is missing/,
    'start provider',
  ],
  ['one that is delivered', facts(delivered), 'in-hand', /was delivered to provider\/senninha/],
]

for (const [title, given, situation, sentence, next] of TABLE)
  test(`of ${title} it is said that it is ${situation}`, () => {
    const verdict = decide(given)
    expect(verdict).toMatchObject({
      situation,
      sentence: expect.stringMatching(sentence),
      ...(next !== undefined && { next }),
    })
    expect(verdict.sentence).not.toMatch(/undefined|null/)
  })
