import { type Actor, type LetterFilter, openOperations, type ShownLetter } from '@malha/operations'
import type { Command } from 'commander'
import { apart, asActor, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { openIndexed } from '../connection/open-indexed.ts'
import { followRun } from '../runs/follow-run.ts'
import { limitsOf, type PaceOptions, withPace } from '../runs/pace.ts'
import { print, screen } from '../view/print.ts'
import { drawLetter, drawLetters } from '../view/letters-view.ts'
import { drawPlan } from '../view/runs-view.ts'
import { registerEdit } from './dlq-edit.ts'
import { several, time, wholeNumber } from './arguments.ts'

type Json = ConnectOptions & { json?: true }
type Decision = Json & Actor
type ShowOptions = Decision & { reveal?: true }
type Selection = Omit<LetterFilter, 'state' | 'letters'>
type ListOptions = Json & LetterFilter & { limit: number; after?: number }
type RedriveOptions = Json &
  PaceOptions &
  Selection & {
    letter?: number[]
    all?: true
    withLate?: true
    dryRun?: true
    most: number
    who: string
    reason?: string
    detach?: true
  }

/** `malha dlq`: the dead letters. */
export function register(program: Command): void {
  const dlq = program.command('dlq').description('look into the dead letters, and deal with them')
  registerList(dlq)
  registerShow(dlq)
  registerRedrive(dlq)
  registerEdit(dlq)
  registerDecision(dlq, 'discard', 'say of an open letter that it need not be done')
  registerDecision(dlq, 'reopen', 'say of a letter that is discarded, or done late, that it must be done')
}

function withSelection(command: Command): Command {
  return command
    .option('--service <name>', 'letters of this service')
    .option('--handler <name>', 'letters of handlers of this name')
    .option('--code <code>', 'letters with this code, e.g. HTTP_422')
    .option('--group <group>', 'letters that failed in this way')
    .option('--id <id>', 'letters of the event with this id')
    .option('--key <key>', 'letters of events of this key')
    .option('--since <time>', 'written at or after, e.g. 2026-11-21T10:00:00Z', time)
    .option('--until <time>', 'written before', time)
}

function registerList(dlq: Command): void {
  withSelection(withConnection(dlq.command('list')))
    .description('the letters, newest first, and the groups of those that failed in the same way')
    .option('--state <state>', 'open, redriven, late, resolved or discarded')
    .option('--limit <n>', 'how many at most, 1000 at the most', wholeNumber, 50)
    .option('--after <n>', 'the page behind this letter: what the page before says', wholeNumber)
    .option('--json', 'one JSON value: { letters, groups, total, next }')
    .addHelpText(
      'after',
      `
Examples:
  malha dlq list --state open
  malha dlq list --service provider --code HTTP_422
  malha dlq list --group 9f3c1a77e0 --json | jq -r '.letters[].id'
Exit codes: 0 listed, 1 an error.`,
    )
    .action(async (options: ListOptions) => {
      const { connection, rest } = apart(options)
      const { limit, after, json, ...filter } = rest
      await using mesh = await connectToMesh(connection)
      using operations = await openIndexed(mesh)
      const list = operations.letters.list(filter, { limit, after })
      print(json ? JSON.stringify({ ...list, next: list.next ?? null }) : drawLetters(list, screen()))
    })
}

function registerShow(dlq: Command): void {
  asActor(withConnection(dlq.command('show')))
    .description('one letter whole: payload, headers, stack, attempts')
    .argument('<letter>', 'its number or its subject, as the list says')
    .option('--reveal', 'also what its contract marks as sensitive; written down, and needs --reason')
    .option('--json', 'one JSON value; the payload in base64, and as text where it is text')
    .addHelpText(
      'after',
      `
What its contract marks as sensitive is [redacted].

Examples:
  malha dlq show 17
  malha dlq show 17 --json | jq -r .payload
  malha dlq show 17 --reveal --reason 'the customer asks which card it was'
Exit codes: 0 shown, 1 an error.`,
    )
    .action(async (given: string, { json, reveal, who, reason, ...connection }: ShowOptions) => {
      await using mesh = await connectToMesh(connection, { acts: reveal === true })
      using operations = await openOperations(mesh)
      const letter = /^\d+$/.test(given) ? Number(given) : given
      const { letters } = operations
      const read = await (reveal ? letters.reveal(letter, { who, reason }) : letters.read(letter))
      const whole = { ...read, holdsKey: await letters.holdsKey(read) }
      print(json ? JSON.stringify(asJson(whole)) : drawLetter(whole, screen()))
    })
}

function registerRedrive(dlq: Command): void {
  withPace(asActor(withSelection(withConnection(dlq.command('redrive')))))
    .description('send open letters to their handlers again, slowly, and see what becomes of them')
    .option('--letter <n>', 'this letter; may be given several times', several)
    .option('--all', 'every open letter: without it, say which')
    .option('--with-late', 'also letters whose message was done after all (late)')
    .option('--dry-run', 'only say how many that would be, with samples')
    .option('--most <n>', 'leave out letters that were sent as often as this', wholeNumber, 10)
    .option('--json', 'one JSON value: the plan of a dry run, else the run when it is over')
    .addHelpText(
      'after',
      `
Ctrl-C lets go of the run and leaves it as it is: "malha runs work <run>" goes on with it, "malha runs cancel <run>" ends it.

Examples:
  malha dlq redrive --group 9f3c1a77e0 --dry-run
  malha dlq redrive --group 9f3c1a77e0 --rate 50 --reason 'the city is known now'
Exit codes: 0 all sent letters are resolved, 1 an error, 3 some failed again or the run is not over.`,
    )
    .action(async (options: RedriveOptions, command: Command) => {
      const { connection, rest } = apart(options)
      const {
        json,
        all,
        withLate,
        dryRun,
        rate,
        concurrency,
        stopAfter,
        most,
        who,
        reason,
        letter: letters,
        ...selection
      } = rest
      const chosen = { ...selection, letters }
      const isNarrow = Object.values(chosen).some((value) => value !== undefined)
      const filter = { ...chosen, withLate }
      if (!isNarrow && !all) command.error('error: say which letters, e.g. --group or --service, or --all')
      await using mesh = await connectToMesh(connection, { acts: !dryRun })
      using operations = await openIndexed(mesh)
      if (dryRun) {
        const plan = await operations.runs.plan(filter)
        print(json ? JSON.stringify(plan) : drawPlan(plan, screen()))
        return
      }
      const limits = { ...limitsOf({ rate, concurrency, stopAfter }), mostRedrives: most }
      const { id } = await operations.runs.redrive({ filter, who, reason, limits })
      await followRun(operations.runs, id, { json, who, reason })
    })
}

function registerDecision(dlq: Command, name: 'discard' | 'reopen', description: string): void {
  asActor(withConnection(dlq.command(name)))
    .description(description)
    .argument('<letter>', 'its number, as the list says', wholeNumber)
    .option('--json', 'the letter as one JSON value')
    .addHelpText(
      'after',
      `
Examples:
  malha dlq ${name} 17 --reason 'the order was ${name === 'discard' ? 'cancelled' : 'not cancelled'}'
Exit codes: 0 done, 1 an error, or somebody else was first.`,
    )
    .action(async (letter: number, { json, who, reason, ...connection }: Decision) => {
      await using mesh = await connectToMesh(connection, { acts: true })
      using operations = await openIndexed(mesh)
      const now = await operations.letters[name](letter, { who, reason })
      print(json ? JSON.stringify(now) : `letter ${letter} is ${now.state}`)
    })
}

function asJson({ payload, redaction, ...letter }: ShownLetter): object {
  const { hidden, withheld = null } = redaction
  if (withheld !== null) return { ...letter, payload: null, payloadBase64: null, hidden, withheld }
  const bytes = Buffer.from(payload)
  const isText = Buffer.from(bytes.toString()).equals(bytes)
  return {
    ...letter,
    payload: isText ? bytes.toString() : null,
    payloadBase64: bytes.toString('base64'),
    hidden,
    withheld,
  }
}
