import type { Command } from 'commander'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { type LookingOptions, lookingAt, openLooking, withLooking } from '../connection/look-options.ts'
import { print, screen } from '../view/print.ts'
import { drawAnswer } from '../view/why-view.ts'

/** Nothing is known of it. */
const UNKNOWN = 3

/** `malha why`: one sentence, and the next step. */
export function register(program: Command): void {
  withLooking(withConnection(program.command('why')))
    .description('why a message is not done, or what became of it: one sentence, and the next step')
    .argument('<id | key>', 'of the message; of a key its last messages, and those in trouble')
    .option('--json', 'one JSON value: { situation, sentence, next, events, missing }')
    .addHelpText(
      'after',
      `
A key is found at once. An id is looked up among letters and failed attempts, in the archive, then in the streams one by one.

Examples:
  malha why c-17
  malha why 5f7c1b1e-6a0e-4d0a-9a38-1a4f6f0f4c11 --clickhouse http://127.0.0.1:8123
  malha why c-17 --json | jq -r .situation
Exit codes: 0 it is known, 1 an error, 3 nothing is known of it.`,
    )
    .action(async (asked: string, { json, ...options }: ConnectOptions & LookingOptions & { json?: true }) => {
      await using mesh = await connectToMesh(options)
      using operations = await openLooking(mesh, options)
      const answer = await operations.why(asked, lookingAt(options))
      print(json ? JSON.stringify(answer) : drawAnswer(answer, screen()))
      if (answer.situation === 'unknown') process.exitCode = UNKNOWN
    })
}
