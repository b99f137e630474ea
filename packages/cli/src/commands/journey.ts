import type { Command } from 'commander'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { type LookingOptions, lookingAt, openLooking, withLooking } from '../connection/look-options.ts'
import { drawJourney, journeyJson } from '../view/journey-view.ts'
import { print, screen } from '../view/print.ts'

type JourneyOptions = ConnectOptions & LookingOptions & { traces?: string; json?: true }

/** Nothing is known of it. */
const UNKNOWN = 3

/** `malha journey`: everything that a message led to. */
export function register(program: Command): void {
  withLooking(withConnection(program.command('journey')))
    .description('every hop and attempt of a message, as a tree')
    .argument('<what>', 'a message id, a correlation id, a trace id or a key')
    .option(
      '--traces <url>',
      'Jaeger, or another store with its API, for the spans; default JAEGER_URL, or none',
      process.env['JAEGER_URL'] || undefined,
    )
    .option('--json', 'one JSON value: { as, roots, events, traces, missing }')
    .addHelpText(
      'after',
      `
Events come from the streams, and from the archive where there is one; what could not be looked at is said at the end.

Examples:
  malha journey c-17
  malha journey 0af7651916cd43dd8448eb211c80319c --traces http://127.0.0.1:16686
  malha journey c-17 --json | jq '.roots[].handlers[].situation'
Exit codes: 0 it was found, 1 an error, 3 nothing is known of it.`,
    )
    .action(async (asked: string, { json, ...options }: JourneyOptions) => {
      await using mesh = await connectToMesh(options)
      using operations = await openLooking(mesh, options)
      const journey = await operations.journey(asked, lookingAt(options))
      print(json ? JSON.stringify(journeyJson(journey)) : drawJourney(journey, screen()))
      if (journey.as === undefined) process.exitCode = UNKNOWN
    })
}
