import { once } from 'node:events'
import { openOperations, type TailFilter } from '@malha/operations'
import type { Command } from 'commander'
import { apart, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { listenForStop } from '../system/stop-request.ts'
import { screen } from '../view/print.ts'
import { say } from '../view/say.ts'
import { tailLine } from '../view/tail-view.ts'
import { plural } from '../view/text.ts'
import { wholeNumber } from './arguments.ts'

type TailOptions = ConnectOptions & Omit<TailFilter, 'pattern'> & { count?: number; json?: true }

/** `malha tail`: events as they are published. */
export function register(program: Command): void {
  withConnection(program.command('tail'))
    .description('events from now on, as they are published')
    .argument(
      '[pattern]',
      "a type, or a pattern of subjects, e.g. center.registered or 'center.>'; without it all events",
    )
    .option('--key <key>', 'only events of this key')
    .option('--service <name>', 'only what this service published, or failed to handle')
    .option('--errors', 'only attempts of handlers that failed')
    .option('--count <n>', 'end after so many', wholeNumber)
    .option('--json', 'one JSON value a line, an event each, for as long as it runs')
    .addHelpText(
      'after',
      `
It listens beside the streams: what the broker refuses is shown too, a repeat twice, and what is missed while the connection is
away is not shown later. "malha archive query" has what was stored. Ends on Ctrl-C.

Examples:
  malha tail 'center.>' --key c-17
  malha tail --errors --service provider
  malha tail order.placed --json --count 10 | jq .payload
Exit codes: 0 it was stopped, or showed as many as asked for; 1 an error.`,
    )
    .action(async (pattern: string | undefined, options: TailOptions) => {
      const { connection, rest } = apart(options)
      const { json, count = Infinity, ...filter } = rest
      using stop = listenForStop()
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      using tail = await operations.tail({ pattern, ...filter })
      void stop.asked.then(() => tail[Symbol.dispose]())
      say(`listening to ${tail.subjects.join(', ')}; Ctrl-C ends it`)
      let shown = 0
      for await (const event of tail) {
        await write(json ? JSON.stringify(event) : tailLine(event, screen()))
        if (++shown >= count) break
      }
      if (tail.dropped > 0)
        say(`${plural(tail.dropped, 'event')} came faster than they could be shown, and were left out`)
    })
}

/** Whoever reads slowly is waited for; what comes meanwhile is kept, up to a bound. */
async function write(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`) && !process.stdout.destroyed)
    await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')])
}
