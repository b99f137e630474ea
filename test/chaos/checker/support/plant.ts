import type { Operation } from '../../history/operation.ts'
import type { StoredMessage } from '../../history/final-state.ts'
import type { Run } from './valid-run.ts'

/** What must be found: this rule, and no other, names this message. */
type Expected = { rule: string; id: string; handler?: string }

/** A change of a valid run that breaks one promise. */
export type Plant = {
  title: string
  /** Changes the run. `pick` chooses one of several. Undefined: this run has nothing to break in this way. */
  readonly plant: (run: Run, pick: Pick) => Expected | undefined
}

type Pick = <T>(from: readonly T[]) => T | undefined

type Effect = Extract<Operation, { op: 'effect' }>

/** But for those of dead letters that were sent again. */
export const effectsOf = (run: Run): Effect[] =>
  run.operations.filter(
    (one) =>
      one.op === 'effect' && !run.final.letters.some(({ id, handler }) => id === one.id && handler === one.handler),
  ) as Effect[]
export const dueOf = (run: Run, id: string): number | undefined =>
  run.operations.flatMap((one) => (one.op === 'publish' && one.id === id ? [one.due] : []))[0]
export const isLetter = ({ stream }: StoredMessage): boolean => stream === 'DEAD_LETTERS'

/** Ids of publishes that ended so, and in no better way. */
export function publishedAs(run: Run, phase: 'ok' | 'fail'): string[] {
  return run.operations.flatMap((one) => (one.op === 'publish' && one.phase === phase ? [one.id] : []))
}

/** Takes a message out of its stream and of the archive. */
export function unstore(run: Run, gone: StoredMessage): void {
  const elsewhere = ({ stream, seq }: { stream: string; seq: number }): boolean =>
    stream !== gone.stream || seq !== gone.seq
  run.final.streams = run.final.streams.filter(elsewhere)
  run.final.archive = run.final.archive.filter(elsewhere)
}
