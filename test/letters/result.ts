import type { theVersions, thisMachine } from '../bench/machine.ts'

/** A redrive of a group, or of all that is left. */
export type Redriven = {
  letters: number
  /** Letters a second, from the first call of the handler to the last. */
  perSecond: number
  /** The least and the most of a full second. */
  slowest: number
  fastest: number
  /** The whole command, from its start to its end; null where the console was the runner. */
  commandMs: number | null
  /** The most that the process that sent held, MiB. */
  runnerMb: number
  consoleMb: number
  /** Messages that the handler had a second time. */
  again: number
  /** Ms since it began, and MiB. */
  memory: readonly (readonly [number, number])[]
  bySecond: readonly number[]
}

export type Letters = {
  startedAt: string
  machine: ReturnType<typeof thisMachine>
  versions: Awaited<ReturnType<typeof theVersions>>
  letters: number
  keys: number
  group: number
  /** Each given up by its handler and stored, µs. */
  writtenUs: number
  bytesEach: number
  firstReading: {
    /** Of the command, to its end. */
    command: { ms: number; peakMb: number }
    /** Of a console that was just started, until its answers say that they are current. */
    console: { ms: number; peakMb: number; firstAnswerMs: number; answersMeanwhile: number; slowestAnswerMs: number }
  }
  /** Answers of the console, ms: median and slowest of some, by what was asked. */
  answers: Record<string, { medianMs: number; slowestMs: number; found: number }>
  /** `malha dlq list` with an index that is there, from its start to its end. */
  listCommand: { ms: number; peakMb: number }
  paced: Redriven & { asked: number }
  unthrottled: Redriven
  byConsole: Redriven
  cancelled: {
    /** From asking for it until the runner's command had ended; until the handler's last call. */
    runnerMs: number
    lastCallMs: number
    sent: number
    handled: number
    /** Of the group, once the rest was sent: each of them once. */
    handledInTheEnd: number
    again: number
  }
  rest: Redriven
  resolvedInTheEnd: number
}

/** What must hold, and what was found. */
export type Bound = { what: string; bound: string; found: string; holds: boolean }

const MB = 250
const number = (value: number): string => Math.round(value).toLocaleString('en')

export function boundsOf(result: Letters): Bound[] {
  const { answers, paced, unthrottled, byConsole, cancelled, rest, firstReading, letters } = result
  const runs = [paced, unthrottled, byConsole, rest]
  const runnerMb = Math.max(...runs.map((one) => one.runnerMb))
  const consoleMb = Math.max(firstReading.console.peakMb, ...runs.map((one) => one.consoleMb))
  const commandMb = Math.max(firstReading.command.peakMb, result.listCommand.peakMb)
  const again = runs.reduce((sum, one) => sum + one.again, cancelled.again)
  const off = Math.abs(paced.perSecond - paced.asked) / paced.asked
  const first = answers['the first page']!
  return [
    bound('the first page', '< 300 ms', { found: `${number(first.slowestMs)} ms`, holds: first.slowestMs < 300 }),
    bound(`a group at ${number(paced.asked)}/s`, '± 10 %', {
      found: `${number(paced.perSecond)}/s`,
      holds: off <= 0.1,
    }),
    bound('a group as fast as can be', '≥ 5,000/s', {
      found: `${number(unthrottled.perSecond)}/s`,
      holds: unthrottled.perSecond >= 5000,
    }),
    bound('the runner', `< ${MB} MiB`, { found: `${number(runnerMb)} MiB`, holds: runnerMb < MB }),
    bound('the console', `< ${MB} MiB`, { found: `${number(consoleMb)} MiB`, holds: consoleMb < MB }),
    bound('a command that looks', `< ${MB} MiB`, { found: `${number(commandMb)} MiB`, holds: commandMb < MB }),
    bound('the runner after a cancel', '≤ 1,000 ms', {
      found: `${number(cancelled.runnerMs)} ms`,
      holds: cancelled.runnerMs <= 1000,
    }),
    bound('of a cancelled run sent and not handled', '0', {
      found: number(cancelled.sent - cancelled.handled),
      holds: cancelled.sent === cancelled.handled,
    }),
    bound('letters resolved in the end', number(letters), {
      found: number(result.resolvedInTheEnd),
      holds: result.resolvedInTheEnd === letters,
    }),
    bound('messages handled twice', '0', { found: number(again), holds: again === 0 }),
  ]
}

function bound(what: string, limit: string, { found, holds }: Pick<Bound, 'found' | 'holds'>): Bound {
  return { what, bound: limit, found, holds }
}
