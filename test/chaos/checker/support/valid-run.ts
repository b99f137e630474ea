import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { correctionOf } from '../../history/correction.ts'
import { digestOf } from '../../history/digest.ts'
import type { ArchiveRow, FinalState, HandlerFacts, Letter, StoredMessage } from '../../history/final-state.ts'
import type { Operation } from '../../history/operation.ts'

/** A run in memory, to be changed by those who plant a defect. */
export type Run = {
  operations: Operation[]
  final: FinalState & { streams: StoredMessage[]; letters: Letter[]; archive: ArchiveRow[] }
}

export const BEGAN_AT = 1_795_271_400_000
export const EPOCH = 1_795_271_400

/** Handlers of each kind there is. */
export const handlers: readonly HandlerFacts[] = [
  { handler: 'jobs.work', type: 'job.made', order: 'none', effect: 'once', output: 'job.done' },
  { handler: 'jobs.note', type: 'job.made', order: 'none', effect: 'repeats', leadsTo: 'job.closed' },
  { handler: 'steps.count', type: 'step.taken', order: 'key', effect: 'once', rejectEvery: 5, attempts: 1 },
  { handler: 'late.remind', type: 'reminder.due', order: 'none', effect: 'once' },
  { handler: 'done.see', type: 'job.done', order: 'none', effect: 'none' },
  { handler: 'done.log', type: 'job.done', order: 'none', effect: 'unseen' },
]

const STREAM_OF: Readonly<Record<string, string>> = {
  'job.made': 'JOBS',
  'job.done': 'JOBS',
  'job.closed': 'JOBS',
  'step.taken': 'STEPS',
  'reminder.due': 'REMINDERS',
}

/** How one message fares. */
type Plan = {
  type: 'job.made' | 'step.taken' | 'reminder.due'
  key: number
  /** How its tries to be published end, the last one last; `killed` has no end. */
  tries: ('ok' | 'fail' | 'unknown' | 'killed')[]
  /** Whether it is stored if no try says so. */
  isStored: boolean
  /** How often it is delivered before it is handled, and again after that. */
  failures: number
  repeats: number
  /** When its handlers begin, and how long a step of theirs takes, ms. */
  start: number
  pace: number
  dueIn: number
  /** What an operator does with its dead letter. */
  edit: 'none' | 'perhaps' | 'certain'
}

const plan: fc.Arbitrary<Plan> = fc.record({
  type: fc.constantFrom('job.made', 'step.taken', 'reminder.due'),
  key: fc.nat(3),
  tries: fc.oneof(
    { weight: 6, arbitrary: fc.constant<Plan['tries']>(['ok']) },
    fc.array(fc.constantFrom('ok', 'unknown', 'killed'), { minLength: 1, maxLength: 3 }),
    fc.constant<Plan['tries']>(['fail']),
  ),
  isStored: fc.boolean(),
  failures: fc.nat(2),
  repeats: fc.nat(1),
  start: fc.nat(500),
  pace: fc.integer({ min: 1, max: 50 }),
  dueIn: fc.integer({ min: 1, max: 2000 }),
  edit: fc.constantFrom('none', 'perhaps', 'certain'),
})

/** A run in which everything is as promised, whatever was killed and came twice. */
export const validRun: fc.Arbitrary<Run> = fc
  .record({ plans: fc.array(plan, { minLength: 1, maxLength: 25 }), isMended: fc.boolean() })
  .map(runOf)

/** Everything that happened, in the order in which it did. */
function runOf({ plans, isMended }: { plans: Plan[]; isMended: boolean }): Run {
  const final = { beganAt: BEGAN_AT, handlers, isMended, streams: [], letters: [], archive: [] }
  const run: Run = { operations: [], final }
  const nextOfKey = new Map<string, number>()
  const keyFreeAt = new Map<string, number>()
  plans.forEach((plan, index) => {
    const id = `message-${index}`
    const key = `k-${plan.key}`
    const n = nextOfKey.get(`${plan.type} ${key}`) ?? 0
    nextOfKey.set(`${plan.type} ${key}`, n + 1)
    const publishedAt = index * 3
    const due = publishedAt + plan.dueIn
    const isLate = plan.type === 'reminder.due'
    const about = { id, type: plan.type, key, n, ...(isLate && { due }), process: 'publisher' }
    plan.tries.forEach((end, nth) => {
      run.operations.push({ op: 'publish', phase: 'invoke', at: publishedAt + nth / 10, ...about })
      if (end !== 'killed')
        run.operations.push({ op: 'publish', phase: end, at: publishedAt + (nth + 0.5) / 10, ...about })
    })
    if (!plan.tries.includes('ok') && (plan.tries.includes('fail') || !plan.isStored)) return
    const storedAt = (isLate ? due : publishedAt) + 1
    store(run, { stream: STREAM_OF[plan.type]!, id, type: plan.type, at: storedAt, ...(isLate && { due }) })
    for (const facts of handlers.filter(({ type }) => type === plan.type)) {
      const line = `${facts.handler} ${key}`
      const free = facts.order === 'key' ? Math.max(storedAt, keyFreeAt.get(line) ?? 0) : storedAt
      const doneAt = handle(run, { plan, facts, id, key, n, beginAt: free + plan.start })
      keyFreeAt.set(line, doneAt)
    }
  })
  run.operations.sort((a, b) => a.at - b.at)
  return run
}

/** Until all is over, and what was refused is sent again. */
const LATER_MS = 1_000_000

type Handling = { plan: Plan; facts: HandlerFacts; id: string; key: string; n: number; beginAt: number }

/** @returns when it was done */
function handle(run: Run, { plan, facts, id, key, n, beginAt }: Handling): number {
  const { handler, rejectEvery, output, leadsTo, effect } = facts
  let at = beginAt
  if (effect === 'unseen') return at
  const op = (operation: 'delivery' | 'effect' | 'handled' | 'ack', attempt: number): void => {
    const about = { handler, id, at: (at += plan.pace), process: handler }
    if (operation === 'delivery') run.operations.push({ op: operation, attempt, ...about })
    else if (operation === 'effect') run.operations.push({ op: operation, key, n, ...about })
    else run.operations.push({ op: operation, ...about })
  }
  for (let attempt = 1; attempt <= plan.failures; attempt++) op('delivery', attempt)
  if (rejectEvery !== undefined && n % rejectEvery === 0) {
    op('delivery', plan.failures + 1)
    letter(run, { handler, id, type: facts.type, at })
    const refusedAt = at
    if (run.final.isMended) {
      at += LATER_MS
      op('delivery', plan.failures + 2)
      op('effect', 0)
      edit(run, plan, id)
    }
    return refusedAt
  }
  for (let again = 0; again <= plan.repeats; again++) {
    op('delivery', plan.failures + again + 1)
    if (effect === 'repeats' || (effect === 'once' && again === 0)) op('effect', 0)
  }
  if (output !== undefined) {
    const made = { stream: STREAM_OF[output]!, id: `${id}-done`, type: output, at: ++at, causation: id }
    store(run, made)
    for (const next of handlers.filter(({ type }) => type === output))
      handle(run, { plan: { ...plan, failures: 0 }, facts: next, id: made.id, key, n, beginAt: at })
  }
  if (leadsTo !== undefined)
    store(run, { stream: STREAM_OF[leadsTo]!, id: `${id}-closed`, of: id, type: leadsTo, at: ++at, causation: id })
  if (effect === 'repeats') op('handled', 0)
  op('ack', 0)
  return at
}

/** `of`: what its subject ends with, its own id unless said otherwise. */
type Stored = { stream: string; id: string; of?: string; type: string; at: number; due?: number; causation?: string }

/** An operator corrects its letter, before its last effect; one who was not told may have done it. */
function edit(run: Run, { edit: how, isStored }: Plan, id: string): void {
  if (how === 'none') return
  const edited = [{ id, isCertain: how === 'certain' }]
  run.operations.push({ op: 'nemesis', phase: 'begin', name: 'edit', target: id, edited, at: LATER_MS - 1 })
  const effect = run.operations.findLast((one) => one.op === 'effect')!
  if (how === 'certain' || isStored) effect.of = correctionOf(id)
}

/** Puts a message at the end of a stream, and into the archive. */
export function store(run: Run, { stream, id, of = id, type, at, due, causation = '' }: Stored): StoredMessage {
  const subject = `${type}.${of}`
  const seq = 1 + run.final.streams.reduce((last, one) => (one.stream === stream ? Math.max(last, one.seq) : last), 0)
  const time = BEGAN_AT + at
  const about = { id, type, correlation: id, causation, subject }
  const content = { ...about, storedAtNs: BigInt(Math.floor(time * 1e3)) * 1000n, payload: Buffer.from(id) }
  const where = { stream, epoch: EPOCH, seq, id, digest: digestOf(content) }
  const stored = {
    ...where,
    type,
    subject,
    time,
    ...(due !== undefined && { due: BEGAN_AT + due }),
    ...(causation !== '' && { causation }),
  }
  run.final.streams.push(stored)
  run.final.archive.push(where)
  return stored
}

function letter(run: Run, { handler, id, type, at }: { handler: string; id: string; type: string; at: number }): void {
  const { stream, epoch, seq } = run.final.streams.find((one) => one.id === id)!
  run.final.letters.push({ handler, stream, epoch, seq, id, type, reason: 'MESH_REJECTED' })
  store(run, { stream: 'DEAD_LETTERS', id, type, at })
}
