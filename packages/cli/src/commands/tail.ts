import { openOperations, type TailEvent, type TailFilter } from '@malha/operations'
import { type Command, Option } from 'commander'
import { apart, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { listenForStop } from '../system/stop-request.ts'
import { type EachAs, NDJSON, printEach, write } from '../view/print-each.ts'
import { screen } from '../view/print.ts'
import { say } from '../view/say.ts'
import { tailLine } from '../view/tail-view.ts'
import { plural } from '../view/text.ts'
import { wholeNumber } from './arguments.ts'

type TailOptions = ConnectOptions & Omit<TailFilter, 'pattern'> & EachAs & { count?: number }

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
    .option('--json', 'one JSON value, whole when it ends: { events }')
    .addOption(new Option('--ndjson', NDJSON).conflicts('json'))
    .addHelpText(
      'after',
      `
It listens beside the streams: what the broker refuses is shown too, a repeat twice, and what is missed while the connection is
away is not shown later. "malha archive query" has what was stored. Ends on Ctrl-C.

Examples:
  malha tail 'center.>' --key c-17
  malha tail --errors --service provider
  malha tail order.placed --ndjson --count 10 | jq .payload
Exit codes: 0 it was stopped, or showed as many as asked for; 1 an error.`,
    )
    .action(async (pattern: string | undefined, options: TailOptions) => {
      const { connection, rest } = apart(options)
      const { json, ndjson, count = Infinity, ...filter } = rest
      using stop = listenForStop()
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      using tail = await operations.tail({ pattern, ...filter })
      void stop.asked.then(() => tail[Symbol.dispose]())
      say(`listening to ${tail.subjects.join(', ')}; Ctrl-C ends it`)
      const events = firstOf(tail, count)
      if (json || ndjson) await printEach(events, { name: 'events', ndjson })
      else
        for await (const event of events)
          await write(`${tailLine(event, screen())}
`)
      if (tail.dropped > 0)
        say(`${plural(tail.dropped, 'event')} came faster than they could be shown, and were left out`)
    })
}

async function* firstOf(events: AsyncIterable<TailEvent>, count: number): AsyncGenerator<TailEvent> {
  let shown = 0
  for await (const event of events) {
    yield event
    if (++shown >= count) return
  }
}
