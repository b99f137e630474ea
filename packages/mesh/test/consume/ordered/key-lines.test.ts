import { expect, test } from 'vitest'
import { type KeyLine, KeyLines, type Progress } from '../../../src/consume/ordered/key-lines.ts'
import type { SentMessage } from '../../../src/consume/ordered/sent-message.ts'

const NEW: Progress = { read: 0, running: [], open: [] }

test('an event is kept, one behind a key that waits is left in the stream', () => {
  const lines = new KeyLines<string>(NEW, 4)
  const first = lines.add('a', 1, 'a1')
  expect(first.kind).toBe('kept')
  if (first.kind !== 'kept') return
  first.line.phase = 'held'
  expect(lines.add('a', 2, 'a2').kind).toBe('left')
  expect(lines.add('b', 3, 'b3').kind).toBe('kept')
  expect(lines.snapshot()).toEqual({ read: 3, running: [3], open: [{ from: 1, token: 'a' }] })
})

test('a key with too many events in memory leaves the rest in the stream, and goes on with them in order', () => {
  const lines = new KeyLines<string>(NEW, 2)
  for (const seq of [1, 2, 3, 4]) lines.add('a', seq, `a${seq}`)
  const [line] = [...lines.lines] as [KeyLine<string>]
  expect(line.items.map(({ seq }) => seq)).toEqual([1, 2])
  expect(line.leftUpTo).toBe(4)
  lines.settleHead(line)
  lines.settleHead(line)
  expect(lines.add('a', 5, 'a5').kind).toBe('left')
  expect(lines.loaded(line, { seq: 3, item: 'a3' }, 5)).toBe(true)
  expect(lines.snapshot().open).toEqual([{ from: 3, token: 'a' }])
})

test('what arrived while the next one was asked for is asked for again', () => {
  const lines = new KeyLines<string>({ read: 9, running: [], open: [{ from: 7, token: 'a' }] }, 2)
  const [line] = [...lines.lines] as [KeyLine<string>]
  lines.add('a', 10, 'a10')
  expect(lines.loaded(line, undefined, 9)).toBe(false)
  expect(lines.loaded(line, undefined, 10)).toBe(true)
  expect(line.leftUpTo).toBe(0)
})

test('where an event that was being worked on is gone, what is settled behind it stays settled', () => {
  const lines = new KeyLines<string>({ read: 9, running: [4], open: [] }, 4)
  expect(lines.position).toBe(3)
  expect(lines.add('b', 5, 'b5').kind).toBe('settled')
  expect(lines.add('a', 9, 'a9').kind).toBe('settled')
  expect(lines.isRestored).toBe(true)
  expect(lines.snapshot()).toEqual({ read: 9, running: [], open: [] })
})

test('a key with more than one event is in the record by its name, so that none is left out when the first is gone', () => {
  const lines = new KeyLines<string>(NEW, 4)
  lines.add('a', 4, 'a4')
  lines.add('b', 5, 'b5')
  lines.add('a', 9, 'a9')
  const record = lines.snapshot()
  expect(record).toEqual({ read: 9, running: [5], open: [{ from: 4, token: 'a' }] })
  const next = new KeyLines<string>(record, 4)
  next.endRestore()
  const [line] = [...next.lines] as [KeyLine<string>]
  expect([line.from, line.leftUpTo]).toEqual([4, 9])
})

test('a key takes room in the record until its retry is over and nothing of it is left in the stream', () => {
  const lines = new KeyLines<string>(NEW, 4)
  const first = lines.add('a', 1, 'a1')
  lines.add('b', 2, 'b2')
  if (first.kind !== 'kept') throw new Error('it is the first one')
  lines.hold(first.line, { attempts: 1, failures: 1, firstFailureAt: 0, dueAt: 0, delayMs: 0 })
  expect(lines.waiting.size).toBe(1)
  lines.add('a', 3, 'a3')
  lines.settleHead(first.line)
  expect(lines.waiting.size).toBe(1)
  lines.loaded(first.line, { seq: 3, item: 'a3' }, 3)
  expect(lines.waiting.size).toBe(0)
})

test('whatever happens in whatever order, no event of a key begins out of order and none is left out', () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const outcome = walk(seed)
    expect(outcome, `seed ${seed}`).toEqual({ inversions: [], missing: [] })
  }
})

const sent = (seq: number, run: string = 'r1', epoch: number = 1): SentMessage => {
  const place = { stream: 'ORDERS', epoch, seq, storedAt: '1' }
  return { subject: `${run} ${seq}`, run, place, isOld: false, crashes: 0, retry: undefined, burial: undefined }
}

test('what runs sent has its turn in the order of runs and of the stream, one after the other, wherever it came in', () => {
  const lines = new KeyLines<string>(NEW, 4)
  const line = lines.send('a', sent(12))
  expect(lines.turnToSent(line)).toBe(true)
  for (const one of [sent(3, 'r2'), sent(9), sent(100), sent(3, 'r1', 0)]) lines.send('a', one)
  const turns: number[] = []
  for (; lines.turnToSent(line); lines.endTurn(line)) turns.push(line.current!.place.seq)
  expect(turns).toEqual([12, 3, 9, 100, 3])
  lines.drop(line)
  expect(lines.size).toBe(0)
})

test('of a key that is held only what is not from behind its letter has a turn, until it is released', () => {
  const lines = new KeyLines<string>(NEW, 4)
  for (const seq of [4, 5, 6]) lines.add('a', seq, `a${seq}`)
  const [line] = [...lines.lines] as [KeyLine<string>]
  expect(lines.holdBehind(line, { epoch: 1, seq: 4, storedAt: '7' })).toEqual(['a5', 'a6'])
  const record = lines.snapshot()
  expect(record).toEqual({
    read: 6,
    running: [],
    open: [{ from: 5, token: 'a' }],
    held: [{ token: 'a', behind: { epoch: 1, seq: 4, storedAt: '7' } }],
  })
  const next = new KeyLines<string>(record, 4)
  const [held] = [...next.lines] as [KeyLine<string>]
  for (const one of [sent(5), sent(4), sent(2, 'r2'), sent(9, 'r2', 0)]) next.send('a', one)
  const turns: number[] = []
  for (; next.turnToSent(held); next.endTurn(held)) turns.push(held.current!.place.seq)
  expect(turns).toEqual([4, 9, 2])
  next.release(held)
  expect(next.turnToSent(held)).toBe(true)
  expect(held.leftUpTo).toBe(6)
})

test('a key that is held with nothing behind it holds back no floor, and has what comes later from its first', () => {
  const lines = new KeyLines<string>(NEW, 4)
  lines.add('a', 4, 'a4')
  const [line] = [...lines.lines] as [KeyLine<string>]
  lines.holdBehind(line, { epoch: 1, seq: 4, storedAt: '7' })
  lines.add('b', 5, 'b5')
  expect(lines.snapshot().open).toEqual([])
  expect(lines.add('a', 8, 'a8').kind).toBe('left')
  expect(lines.snapshot().open).toEqual([{ from: 8, token: 'a' }])
  lines.located(line, 0, 8)
  expect(lines.snapshot()).toMatchObject({ open: [], held: [{ token: 'a' }] })
})

/** A stream, owners that come and go in the middle of everything, and records written now and then. */
function walk(seed: number): { inversions: string[]; missing: number[] } {
  const random = generator(seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const stream = Array.from({ length: 80 }, (_, index) => ({ seq: 3 + 2 * index, key: `k${Math.floor(random() * 6)}` }))
  const inversions: string[] = []
  const begun = new Map<string, number>()
  const ended = new Set<number>()
  /** Letters that nobody has dealt with, by key. */
  const letters = new Map<string, number>()
  let published = 0
  let record: Progress = NEW
  let owner = takeOver()

  function takeOver(): {
    lines: KeyLines<number>
    fed: number
    unwritten: KeyLine<number>[]
    unheld: Set<KeyLine<number>>
  } {
    const lines = new KeyLines<number>(record, 3)
    return { lines, fed: lines.position, unwritten: [], unheld: new Set() }
  }

  function step(isCalm: boolean): void {
    const { lines } = owner
    const what = random()
    const all = [...lines.lines]
    if (what < 0.2) published = Math.min(stream.length, published + 1)
    else if (what < 0.45) {
      const next = stream.slice(0, published).find(({ seq }) => seq > owner.fed)
      if (!next) return void (lines.isRestored || lines.endRestore())
      owner.fed = next.seq
      lines.add(next.key, next.seq, next.seq)
    } else if (what >= 0.98 && !isCalm) owner = takeOver()
    else if (what >= 0.92) {
      record = lines.snapshot()
      owner.unheld.clear()
      for (const line of owner.unwritten.splice(0)) {
        line.phase = 'idle'
        lines.drop(line)
      }
    } else if (!lines.isRestored) return
    else if (what < 0.65) {
      const line = all.find(({ phase, items, behind }) => phase === 'idle' && items.length > 0 && !behind)
      if (!line) return
      line.phase = 'running'
      const seq = line.items[0]!.seq
      const earlier = stream.filter(({ key, seq: other }) => key === line.token && other < seq)
      if (seq < (begun.get(line.token) ?? 0) || earlier.some(({ seq: other }) => !ended.has(other)))
        inversions.push(`${line.token} ${seq}`)
      if ((letters.get(line.token) ?? seq) < seq) inversions.push(`${line.token} ${seq} before its letter`)
      begun.set(line.token, seq)
    } else if (what < 0.8) {
      const running = all.filter(({ phase }) => phase === 'running')
      if (running.length === 0) return
      const line = pick(running)
      if (random() < 0.3) {
        lines.hold(line, { attempts: 1, failures: 1, firstFailureAt: 0, dueAt: 0, delayMs: 0 })
      } else if (random() < 0.2) {
        const { seq } = line.items[0]!
        ended.add(seq)
        letters.set(line.token, seq)
        lines.holdBehind(line, { epoch: 1, seq, storedAt: '1' })
        owner.unheld.add(line)
      } else {
        ended.add(line.items[0]!.seq)
        letters.delete(line.token)
        lines.settleHead(line)
        owner.unwritten.push(line)
      }
    } else if (what < 0.83) {
      for (const line of all) if (line.phase === 'held') line.phase = 'idle'
    } else if (what < 0.86) {
      const held = all.filter(({ behind }) => behind)
      if (held.length === 0) return
      const line = pick(held)
      const [first] = stream.filter(({ key, seq }) => key === line.token && seq >= line.from && seq <= line.leftUpTo)
      if (random() < 0.5) lines.located(line, first?.seq ?? 0, line.leftUpTo)
      // Whoever dealt with it may be found out only by the next owner.
      letters.delete(line.token)
      if (random() < 0.5 && !owner.unheld.has(line)) lines.release(line)
    } else {
      const waits = ({ phase, items, leftUpTo, behind }: KeyLine<number>): boolean =>
        phase === 'idle' && items.length === 0 && leftUpTo > 0 && !behind
      const line = all.find(waits)
      if (!line) return
      const known = stream.slice(0, published)
      const next = known.find(({ key, seq }) => key === line.token && seq >= line.from && seq <= line.leftUpTo)
      lines.loaded(line, next && { seq: next.seq, item: next.seq }, line.leftUpTo)
    }
  }

  for (let count = 0; count < 40_000 && ended.size < stream.length; count += 1) step(count > 3_000)
  return { inversions, missing: stream.map(({ seq }) => seq).filter((seq) => seq > 0 && !ended.has(seq)) }
}

/** mulberry32. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}
