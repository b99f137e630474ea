/**
 * Finds out when the dead letters that hold keys are done with (docs/adr/0034-a-message-of-a-run-waits-for-its-key.md).
 *
 * H1  A key goes on when the last record about its letter says that its message is done, or need not be; not before.
 * H2  A letter that was removed can be neither sent again nor discarded: its key goes on, once it was missed at two looks.
 */
import { getStored } from '../../read/stored-message.ts'
import { lastRecord } from '../../run/record.ts'
import { SETTLED } from '../../run/late.ts'
import type { RunnerOptions } from '../runner-options.ts'
import type { Line } from './key-turns.ts'
import type { Partition } from './partition.ts'
import { RepeatedLook } from './repeated-look.ts'

export type HeldKeysOptions = Pick<RunnerOptions, 'nc' | 'names' | 'log' | 'labels' | 'stream'> & {
  /** Of the handler, on the server. */
  durable: string
  owned: () => ReadonlyMap<number, Partition>
}

/** Whoever deals with a letter says so; a word that was lost costs this. */
const LOOK_MS = 30_000
const AT_ONCE = 32

export class HeldKeys {
  readonly #options: HeldKeysOptions
  readonly #missed = new WeakSet<object>()
  readonly #looks: RepeatedLook

  constructor(options: HeldKeysOptions) {
    this.#options = options
    this.#looks = new RepeatedLook({ nc: options.nc, everyMs: LOOK_MS, look: () => this.#look() })
  }

  start(): void {
    this.#looks.start()
  }

  stop(): void {
    this.#looks.stop()
  }

  /** Some letter may have been dealt with. Never throws. */
  look(): Promise<void> {
    return this.#looks.now()
  }

  /** Whether a run's message is the one of the letter that holds its key, by where the records about it stand. */
  isOfLetter({ behind }: Line, record: string): boolean {
    return behind !== undefined && this.#recordOf(behind) === record
  }

  /** Never throws. */
  async #look(): Promise<void> {
    const held = [...this.#options.owned().values()].flatMap((partition) =>
      partition.behindLetters.map((line) => ({ partition, line })),
    )
    for (let from = 0; from < held.length; from += AT_ONCE)
      await Promise.all(held.slice(from, from + AT_ONCE).map(({ partition, line }) => this.check(partition, line)))
  }

  /** Upholds H1. Never throws; what fails is seen at the next look. */
  async check(partition: Partition, line: Line): Promise<void> {
    const { behind } = line
    if (!behind) return
    try {
      const last = await lastRecord(this.#options, this.#recordOf(behind))
      const isDone = last ? SETTLED.has(last.record.kind) : await this.#isGone(behind)
      // Of another letter it may be held by now.
      if (isDone && line.behind === behind) await partition.work.freeKey(line)
    } catch (error) {
      const { log, labels } = this.#options
      log.debug({ ...labels, err: error }, 'whether a letter still holds its key is not known; again')
    }
  }

  /** Upholds H2. */
  async #isGone(behind: NonNullable<Line['behind']>): Promise<boolean> {
    const { nc, names, log, labels } = this.#options
    const letter = this.#letterOf(behind)
    if (await getStored(nc, names.stream('DEAD_LETTERS'), { last_by_subj: letter })) return false
    const isSure = this.#missed.has(behind)
    this.#missed.add(behind)
    if (isSure) log.warn({ ...labels, letter }, 'a letter that held its key was removed; its key goes on')
    return isSure
  }

  #letterOf(behind: NonNullable<Line['behind']>): string {
    const { names, durable, stream } = this.#options
    return names.deadLetter(durable, { stream, ...behind })
  }

  #recordOf(behind: NonNullable<Line['behind']>): string {
    const { names } = this.#options
    return names.letterRecord(names.strip(this.#letterOf(behind)))
  }
}
