import type { Command } from 'commander'
import { listContexts } from '../connection/context.ts'
import { drawContexts } from '../view/contexts-view.ts'
import { print, screen } from '../view/print.ts'

/** `malha context`: the named connections. */
export function register(program: Command): void {
  const context = program.command('context').description('named connections, for --context')
  context
    .command('list')
    .description('those of malha and of the nats command, without their secrets')
    .option('--json', 'one JSON value: { contexts }')
    .addHelpText(
      'after',
      `
Contexts are files: $XDG_CONFIG_HOME/malha/context/<name>.json, then those of the nats command
(nats context add). The same fields, and in malha's own also namespace and clickhouse.

Examples:
  malha context list
  malha dlq list --context production
  MALHA_CONTEXT=production malha doctor
Exit codes: 0 listed, 1 an error.`,
    )
    .action(async ({ json }: { json?: true }) => {
      const contexts = await listContexts(process.env)
      print(json ? JSON.stringify({ contexts }) : drawContexts(contexts, screen()))
    })
}
