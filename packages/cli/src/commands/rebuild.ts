import { rebuild } from '@malha/operations'
import type { Command } from 'commander'
import { clickhouseAt, withArchive } from '../connection/archive-option.ts'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { print, screen } from '../view/print.ts'
import { drawRebuilt } from '../view/rebuilt-view.ts'
import { say } from '../view/say.ts'
import { plural } from '../view/text.ts'
import { visible } from '../view/visible.ts'
import { replicaCount } from './arguments.ts'

type RebuildCommandOptions = ConnectOptions & { json?: true; dryRun?: boolean; replicas?: number; clickhouse: string }

/** `malha rebuild`: what a broker lost and the archive has. */
export function register(program: Command): void {
  withArchive(withConnection(program.command('rebuild')))
    .description('bring back from the archive what the streams of the mesh have lost; no service of it may run')
    .option('--dry-run', 'only count')
    .option('--replicas <n>', 'of each stream that is made; default as it had', replicaCount)
    .option('--json', 'one JSON value: { streams, durables, partitions, waiting, missing, floorsAt }')
    .addHelpText(
      'after',
      `
For a broker that lost its disk, and for one that was restored from a backup. Handlers begin behind where they stood when the
archive wrote that down last; nothing before that is handled again. One that was broken off goes on when it is called again.

Examples:
  malha rebuild --dry-run
  malha rebuild --clickhouse http://clickhouse:8123 --replicas 3
Exit codes: 0 all that the archive has is there, or with --dry-run was counted; 1 an error.`,
    )
    .action(async ({ json, dryRun = false, replicas, clickhouse, ...connection }: RebuildCommandOptions) => {
      await using mesh = await connectToMesh(connection)
      const rebuilt = await rebuild(mesh, {
        archive: clickhouseAt(clickhouse),
        replicas,
        dryRun,
        onProgress: ({ stream, events, isDone }) => {
          if (isDone && events > 0) say(`${visible(stream)}: ${plural(events, 'event')} brought back`)
        },
      })
      print(json ? JSON.stringify(rebuilt) : drawRebuilt(rebuilt, screen()))
      if (dryRun) say('nothing was done')
    })
}
