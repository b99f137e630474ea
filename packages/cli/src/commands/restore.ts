import { restore } from '@malha/operations'
import type { Command } from 'commander'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { sayCopied } from '../recovery/say-copied.ts'
import { drawBackup } from '../view/backup-view.ts'
import { print, screen } from '../view/print.ts'
import { say } from '../view/say.ts'
import { plural } from '../view/text.ts'
import { replicaCount } from './arguments.ts'

type RestoreCommandOptions = ConnectOptions & { json?: true; dryRun?: boolean; replicas?: number }

/** `malha restore`: what `malha backup` wrote, on a server that has nothing of it. */
export function register(program: Command): void {
  withConnection(program.command('restore'))
    .description('bring a backup back, on a server that has none of its streams; no service of the mesh may run')
    .argument('<folder>', 'as malha backup wrote it')
    .option('--dry-run', 'only look whether it is whole, and whether the server has none of it')
    .option('--replicas <n>', 'of each stream; default as it had', replicaCount)
    .option('--json', 'one JSON value: { manifest, streams, durables, over }')
    .addHelpText(
      'after',
      `
One that was broken off goes on when it is called again. At the end every stream and durable is compared with the backup, and
every replica is current, or it says what differs. What came after the backup is brought back from the archive by malha rebuild,
before any service starts.

Examples:
  malha restore /backups/2026-11-23 --dry-run
  malha restore /backups/2026-11-23 --replicas 3
Exit codes: 0 all is there, or with --dry-run could be; 1 an error.`,
    )
    .action(async (folder: string, { json, dryRun = false, replicas, ...connection }: RestoreCommandOptions) => {
      await using mesh = await connectToMesh(connection)
      const restored = await restore(mesh, { folder, dryRun, replicas, onProgress: sayCopied('brought back') })
      print(json ? JSON.stringify(restored) : drawBackup(restored.manifest, screen()))
      const streams = plural(restored.streams.length, 'stream')
      if (dryRun) say(`${streams} would be brought back; nothing was done`)
      else say(`${streams} brought back, ${plural(restored.durables, 'durable')} made; all is as the backup says`)
      if (restored.over > 0)
        say(
          `${plural(restored.over, 'message')} of the backup had an end of their own: what has a time to live, or was done`,
        )
    })
}
