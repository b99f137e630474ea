import { openOperations } from '@malha/operations'
import type { Command } from 'commander'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { print, screen } from '../view/print.ts'
import { drawStreams } from '../view/streams-view.ts'

/** `malha streams`: how each stream of the mesh stands. */
export function register(program: Command): void {
  withConnection(program.command('streams'))
    .description('every stream of the mesh: size, age, replicas, consumers, and what is near its limit')
    .option('--json', 'one JSON value: { streams }')
    .addHelpText(
      'after',
      `
Headroom is how long it is until the oldest event that a handler is not past leaves its stream.

Examples:
  malha streams
  malha streams --json | jq -r '.streams[] | select(.alarms != []) | .name'
Exit codes: 0 they are listed, 1 an error.`,
    )
    .action(async ({ json, ...connection }: ConnectOptions & { json?: true }) => {
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      const streams = await operations.streams()
      print(json ? JSON.stringify({ streams }) : drawStreams(streams, screen(), Date.now()))
    })
}
