import { openOperations } from '@malha/operations'
import type { Command } from 'commander'
import { apart, asActor, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { print } from '../view/print.ts'
import { say } from '../view/say.ts'
import { visible } from '../view/visible.ts'

type Options = ConnectOptions & { who: string; reason?: string; json?: true }

/** `malha hand-over`: what is done before a server is stopped. */
export function register(program: Command): void {
  asActor(withConnection(program.command('hand-over')))
    .description('have other servers lead the durables that a server leads, before it is stopped')
    .argument('<server>', 'its name')
    .option('--json', 'one JSON value: { server, durables }')
    .addHelpText(
      'after',
      `
A leader that hands a durable over while it delivers has that message wait for ack_wait. So each durable is paused for that
moment, some 200 ms, one after the other. Needs an administrator of the account.

Examples:
  malha hand-over nats-0 && kubectl delete pod -n nats nats-0
Exit codes: 0 it leads no durable any more, 1 an error.`,
    )
    .action(async (server: string, options: Options) => {
      const { connection, rest } = apart(options)
      const { who, reason, json } = rest
      await using mesh = await connectToMesh(connection, { acts: true })
      using operations = await openOperations(mesh)
      const durables = await operations.handOver({
        server,
        who,
        reason,
        onMoved: ({ stream, durable, leader, heldMs }) =>
          say(visible(`${durable} of ${stream} is led by ${leader} now; it was held for ${heldMs} ms`)),
      })
      print(
        json
          ? JSON.stringify({ server, durables })
          : `${visible(server)} leads none of the durables; ${durables.length} were handed over`,
      )
    })
}
