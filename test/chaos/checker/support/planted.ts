import type { Operation } from '../../history/operation.ts'
import type { StoredMessage } from '../../history/final-state.ts'
import { BEGAN_AT, EPOCH, handlers, type Run, store } from './valid-run.ts'

/** What must be found: this rule, and no other, names this message. */
export type Expected = { rule: string; id: string; handler?: string }

/** A change of a valid run that breaks one promise. */
export type Plant = {
  title: string
  /** Changes the run. `pick` chooses one of several. Undefined: this run has nothing to break in this way. */
  readonly plant: (run: Run, pick: Pick) => Expected | undefined
}

type Pick = <T>(from: readonly T[]) => T | undefined

type Effect = Extract<Operation, { op: 'effect' }>

const effectsOf = (run: Run): Effect[] => run.operations.filter((one) => one.op === 'effect')
const dueOf = (run: Run, id: string): number | undefined =>
  run.operations.flatMap((one) => (one.op === 'publish' && one.id === id ? [one.due] : []))[0]
const isLetter = ({ stream }: StoredMessage): boolean => stream === 'DEAD_LETTERS'

/** Ids of publishes that ended so, and in no better way. */
function publishedAs(run: Run, phase: 'ok' | 'fail'): string[] {
  return run.operations.flatMap((one) => (one.op === 'publish' && one.phase === phase ? [one.id] : []))
}

/** Takes a message out of its stream and of the archive. */
function unstore(run: Run, gone: StoredMessage): void {
  const elsewhere = ({ stream, seq }: { stream: string; seq: number }): boolean =>
    stream !== gone.stream || seq !== gone.seq
  run.final.streams = run.final.streams.filter(elsewhere)
  run.final.archive = run.final.archive.filter(elsewhere)
}

export const plants: readonly Plant[] = [
  {
    title: 'an acknowledged delivery without its effect',
    plant(run, pick) {
      const lost = pick(effectsOf(run))
      if (!lost) return undefined
      run.operations = run.operations.filter(
        (one) => one.op !== 'effect' || one.id !== lost.id || one.handler !== lost.handler,
      )
      return { rule: 'handled-once', id: lost.id, handler: lost.handler }
    },
  },
  {
    title: 'an effect twice',
    plant(run, pick) {
      const once = new Set(handlers.flatMap(({ handler, effect }) => (effect === 'once' ? [handler] : [])))
      const twice = pick(effectsOf(run).filter(({ handler }) => once.has(handler)))
      if (!twice) return undefined
      run.operations.push({ ...twice, at: twice.at + 1 })
      return { rule: 'handled-once', id: twice.id, handler: twice.handler }
    },
  },
  {
    title: 'a message stored twice',
    plant(run, pick) {
      const twice = pick(run.final.streams.filter((one) => !isLetter(one) && dueOf(run, one.id) === undefined))
      if (!twice) return undefined
      const { stream, id, type } = twice
      store(run, { stream, id, type, at: 10_000 })
      return { rule: 'stored-once', id: twice.id }
    },
  },
  {
    title: 'an acknowledged message that no stream has',
    plant(run, pick) {
      const acknowledged = new Set(publishedAs(run, 'ok'))
      const lost = pick(
        run.final.streams.filter(
          (one) => !isLetter(one) && acknowledged.has(one.id) && dueOf(run, one.id) === undefined,
        ),
      )
      if (!lost) return undefined
      unstore(run, lost)
      return { rule: 'stored-once', id: lost.id }
    },
  },
  {
    title: 'a message stored whose publish was refused',
    plant(run, pick) {
      const refused = pick(
        run.operations.filter((one) => one.op === 'publish' && one.phase === 'fail' && one.due === undefined),
      )
      if (refused?.op !== 'publish') return undefined
      // Nobody handles this type, so that being stored is all that is wrong.
      store(run, { stream: 'OTHER', id: refused.id, type: 'other.type', at: 10_000 })
      for (const one of run.operations) if (one.op === 'publish' && one.id === refused.id) one.type = 'other.type'
      return { rule: 'stored-once', id: refused.id }
    },
  },
  {
    title: 'an output that was never stored',
    plant(run, pick) {
      const output = pick(run.final.streams.filter(({ causation }) => causation !== undefined))
      if (!output) return undefined
      unstore(run, output)
      return { rule: 'stored-once', id: output.causation! }
    },
  },
  {
    title: 'two events of a key in another order',
    plant(run, pick) {
      const ordered = run.operations.flatMap((one, index) =>
        one.op === 'effect' && one.handler === 'steps.count' ? [{ effect: one, index }] : [],
      )
      const pairs = ordered.flatMap((one, nth) => {
        const next = ordered.slice(nth + 1).find(({ effect }) => effect.key === one.effect.key)
        return next ? [{ one, next }] : []
      })
      const pair = pick(pairs)
      if (!pair) return undefined
      const { one, next } = pair
      run.operations[one.index] = { ...next.effect, at: one.effect.at }
      run.operations[next.index] = { ...one.effect, at: next.effect.at }
      return { rule: 'order-of-a-key', id: one.effect.id, handler: one.effect.handler }
    },
  },
  {
    title: 'an effect of a message that nobody published',
    plant(run, pick) {
      const { handler } = pick(handlers)!
      run.operations.push({ op: 'effect', handler, id: 'nobody-s', at: 10_000, process: handler })
      return { rule: 'published-before-handled', id: 'nobody-s', handler }
    },
  },
  {
    title: 'an effect of a message whose publish was refused',
    plant(run, pick) {
      const id = pick(publishedAs(run, 'fail'))
      if (id === undefined) return undefined
      const type = run.operations.flatMap((one) => (one.op === 'publish' && one.id === id ? [one.type] : []))[0]
      const { handler } = handlers.find((one) => one.type === type)!
      run.operations.push({ op: 'effect', handler, id, at: 10_000, process: handler })
      return { rule: 'published-before-handled', id, handler }
    },
  },
  {
    title: 'a stored message that nobody published',
    plant(run) {
      store(run, { stream: 'OTHER', id: 'nobody-s', type: 'other.type', at: 1 })
      return { rule: 'published-before-handled', id: 'nobody-s' }
    },
  },
  {
    title: 'a delayed message that comes early',
    plant(run, pick) {
      const early = pick(run.final.streams.filter((one) => dueOf(run, one.id) !== undefined))
      if (!early) return undefined
      early.time -= 2
      return { rule: 'delayed-in-time', id: early.id }
    },
  },
  {
    title: 'a delayed message of which the broker was told another time',
    plant(run, pick) {
      const early = pick(run.final.streams.filter((one) => dueOf(run, one.id) !== undefined))
      if (!early) return undefined
      early.time -= 200
      early.due! -= 200
      return { rule: 'delayed-in-time', id: early.id }
    },
  },
  {
    title: 'an effect of a delayed message before its time',
    plant(run, pick) {
      const early = pick(effectsOf(run).filter(({ handler }) => handler === 'late.remind'))
      if (!early) return undefined
      early.at = dueOf(run, early.id)! - 100
      return { rule: 'delayed-in-time', id: early.id }
    },
  },
  {
    title: 'a delayed message that comes twice',
    plant(run, pick) {
      const twice = pick(run.final.streams.filter((one) => dueOf(run, one.id) !== undefined))
      if (!twice) return undefined
      store(run, { stream: twice.stream, id: twice.id, type: twice.type, at: 10_000 })
      return { rule: 'delayed-in-time', id: twice.id }
    },
  },
  {
    title: 'a delayed message that never comes',
    plant(run, pick) {
      const acknowledged = new Set(publishedAs(run, 'ok'))
      const lost = pick(run.final.streams.filter((one) => acknowledged.has(one.id) && dueOf(run, one.id) !== undefined))
      if (!lost) return undefined
      unstore(run, lost)
      run.operations = run.operations.filter((one) => one.op === 'publish' || !('id' in one) || one.id !== lost.id)
      return { rule: 'delayed-in-time', id: lost.id }
    },
  },
  {
    title: 'a row that the archive skipped',
    plant(run, pick) {
      const skipped = pick(run.final.archive)
      if (!skipped) return undefined
      run.final.archive = run.final.archive.filter((one) => one !== skipped)
      return { rule: 'archive-has-the-streams', id: skipped.id }
    },
  },
  {
    title: 'a row twice in the archive',
    plant(run, pick) {
      const twice = pick(run.final.archive)
      if (!twice) return undefined
      run.final.archive.push({ ...twice })
      return { rule: 'archive-has-the-streams', id: twice.id }
    },
  },
  {
    title: 'a row that says something else',
    plant(run, pick) {
      const changed = pick(run.final.archive)
      if (!changed) return undefined
      changed.digest = `${changed.digest.startsWith('0') ? '1' : '0'}${changed.digest.slice(1)}`
      return { rule: 'archive-has-the-streams', id: changed.id }
    },
  },
  {
    title: 'a row of what no stream has',
    plant(run) {
      run.final.archive.push({ stream: 'OTHER', epoch: 1, seq: 7, id: 'nobody-s', digest: '0123456789abcdef' })
      return { rule: 'archive-has-the-streams', id: 'nobody-s' }
    },
  },
  {
    title: 'a dead letter that was dropped',
    plant(run, pick) {
      const dropped = pick(run.final.letters)
      if (!dropped) return undefined
      run.final.letters = run.final.letters.filter((one) => one !== dropped)
      unstore(
        run,
        run.final.streams.find((one) => isLetter(one) && one.id === dropped.id)!,
      )
      return { rule: 'dead-letters', id: dropped.id, handler: dropped.handler }
    },
  },
  {
    title: 'a dead letter twice',
    plant(run, pick) {
      const twice = pick(run.final.letters)
      if (!twice) return undefined
      run.final.letters.push({ ...twice })
      return { rule: 'dead-letters', id: twice.id, handler: twice.handler }
    },
  },
  {
    title: 'a dead letter in place of an effect',
    plant(run, pick) {
      const effect = pick(effectsOf(run))
      if (!effect) return undefined
      const { handler, id } = effect
      run.operations = run.operations.filter((one) => one.op !== 'effect' || one.id !== id || one.handler !== handler)
      // Its output went with it.
      const output = run.final.streams.find(({ causation }) => handler === 'jobs.work' && causation === id)
      if (output) unstore(run, output)
      const { stream, epoch, seq, type } = run.final.streams.find((one) => one.id === id)!
      run.final.letters.push({ handler, stream, epoch, seq, id, type, reason: 'MESH_ATTEMPTS' })
      return { rule: 'dead-letters', id, handler }
    },
  },
]

/**
 * An operator deletes a stream at some time of the run and makes it again: what it held is gone, half of it before it was
 * handled. The archive has kept its rows.
 */
export function deleteStream(run: Run, { stream, at }: { stream: string; at: number }): void {
  const goneBefore = BEGAN_AT + at
  const isGone = (one: StoredMessage): boolean => one.stream === stream && one.time < goneBefore
  const gone = run.final.streams.filter(isGone)
  const nextEpoch = EPOCH + 7
  run.final.streams = run.final.streams.filter((one) => !isGone(one))
  const kept = run.final.streams.filter((one) => one.stream === stream)
  for (const { seq } of kept)
    run.final.archive.find((row) => row.stream === stream && row.seq === seq)!.epoch = nextEpoch
  for (const one of kept) one.epoch = nextEpoch
  const unhandled = new Set(gone.filter((_, index) => index % 2 === 0).map(({ id }) => id))
  run.operations = run.operations.filter((one) => one.op !== 'effect' || !unhandled.has(one.id))
  const lost = { stream, epoch: EPOCH, nextEpoch }
  run.operations.push({ op: 'nemesis', phase: 'begin', name: 'delete-stream', target: stream, lost, at })
}
