import { type AuditFilter, openOperations } from '@malha/operations'
import type { Command } from 'commander'
import { apart, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { drawActs } from '../view/acts-view.ts'
import { print, screen } from '../view/print.ts'
import { time, wholeNumber } from './arguments.ts'

type ListOptions = ConnectOptions & AuditFilter & { json?: true }

/** `malha audit`: who did what. `malha archive audit` compares the archive with the streams and is another thing. */
export function register(program: Command): void {
  const audit = program.command('audit').description('who did what to the mesh, from where, and why')
  withConnection(audit.command('list'))
    .description('the acts, newest first, with what they changed and how they ended')
    .option('--since <time>', 'written down at or after, e.g. 2026-11-21T10:00:00Z', time)
    .option('--until <time>', 'written down before', time)
    .option('--who <name>', 'acts of this person')
    .option('--action <action>', 'acts of this kind, e.g. letter.discard or run.pause')
    .option('--target <target>', 'acts on this: the subject of a letter, the id of a run')
    .option('--limit <n>', 'how many at most, 1000 at the most', wholeNumber, 50)
    .option('--after <n>', 'the page behind this one: what the page before says', wholeNumber)
    .option('--json', 'one JSON value: { acts, unreadable, next }')
    .addHelpText(
      'after',
      `
Examples:
  malha audit list --since 2026-11-21T10:00:00Z
  malha audit list --who on-call --action run.cancel
  malha audit list --target 20261122-101500-3fa9c1 --json | jq -r '.acts[].reason'
Exit codes: 0 listed, 1 an error.`,
    )
    .action(async (options: ListOptions) => {
      const { connection, rest } = apart(options)
      const { json, ...filter } = rest
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      const list = await operations.audit.list(filter)
      print(json ? JSON.stringify({ ...list, next: list.next ?? null }) : drawActs(list, screen()))
    })
}
