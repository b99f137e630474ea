import { backUp } from '@malha/operations'
import type { Command } from 'commander'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { sayCopied } from '../recovery/say-copied.ts'
import { print, screen } from '../view/print.ts'
import { drawBackup } from '../view/backup-view.ts'

/** `malha backup`: all streams and buckets of a mesh, in a folder. */
export function register(program: Command): void {
  withConnection(program.command('backup'))
    .description('copy every stream and bucket of the mesh into a folder, while it works')
    .argument('<folder>', 'made if it is not there; nothing may be in it')
    .option('--json', 'the manifest as one JSON value: { v, namespace, beganAt, endedAt, streams, … }')
    .addHelpText(
      'after',
      `
Each stream is a folder that "nats stream restore" reads too. What is done after a backup began is, after a restore, done again.

Examples:
  malha backup /backups/2026-11-23
  malha backup /backups/2026-11-23 --context production --json | jq '.streams[].messages'
Exit codes: 0 all is on the disk, 1 an error: there is no backup.`,
    )
    .action(async (folder: string, { json, ...connection }: ConnectOptions & { json?: true }) => {
      await using mesh = await connectToMesh(connection)
      const manifest = await backUp(mesh, { folder, onProgress: sayCopied('copied') })
      print(json ? JSON.stringify(manifest) : drawBackup(manifest, screen()))
    })
}
