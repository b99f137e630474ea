import type { ReplayOf } from '@malha/operations'
import type { Command } from 'commander'
import { openWithArchive, withArchive } from '../connection/archive-option.ts'
import { asActor, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { followRun } from '../runs/follow-run.ts'
import { limitsOf, type PaceOptions, withPace } from '../runs/pace.ts'
import { print, screen } from '../view/print.ts'
import { drawReplayPlan } from '../view/runs-view.ts'
import { time, wholeNumber } from './arguments.ts'

type Options = ConnectOptions &
  PaceOptions & {
    service: string
    handler: string
    stream?: string
    type?: string
    key?: string
    fromSeq?: number
    toSeq?: number
    since?: string
    until?: string
    archive?: true
    epoch?: number
    clickhouse: string
    asNew?: true
    dryRun?: true
    json?: true
    who: string
    reason?: string
  }

/** `malha replay`: events of a stream, sent to one handler again. */
export function register(program: Command): void {
  withArchive(withPace(asActor(withConnection(program.command('replay')))))
    .description('send events of a stream to one handler again, slowly, and see what becomes of them')
    .requiredOption('--service <name>', 'the service whose handler it is')
    .requiredOption('--handler <name>', 'the handler; nobody else sees anything of it')
    .option('--stream <name>', 'the stream, where the handler reads several')
    .option('--type <type>', 'events of this type, of those that the handler takes')
    .option('--key <key>', 'events of this key')
    .option('--from-seq <n>', 'from this sequence on', wholeNumber)
    .option('--to-seq <n>', 'up to this sequence', wholeNumber)
    .option('--since <time>', 'stored at or after, e.g. 2026-11-21T10:00:00Z', time)
    .option('--until <time>', 'stored before', time)
    .option('--archive', 'from the archive, which has what the stream has forgotten')
    .option(
      '--epoch <n>',
      'from the archive: of the stream made at this time, unix seconds; default: the one there is',
      wholeNumber,
    )
    .option('--as-new', 'as new messages: under ids of their own, with the event as their cause')
    .option('--dry-run', 'only say how many that would be, with samples')
    .option('--json', 'one JSON value: the plan of a dry run, else the run when it is over')
    .addHelpText(
      'after',
      `
Ctrl-C lets go of the run and leaves it as it is: "malha runs work <run>" goes on with it, "malha runs cancel <run>" ends it.

Examples:
  malha replay --service provider --handler senninha --since 2026-11-21T10:00:00Z --dry-run
  malha replay --service provider --handler senninha --archive --until 2026-10-01T00:00:00Z --rate 50
  malha replay --service provider --handler senninha --key 4711 --reason 'its provider was deleted by mistake'
Exit codes: 0 all that was sent is handled, 1 an error, 3 some failed again or the run is not over.`,
    )
    .action(async (options: Options) => {
      const { dryRun, json, who, reason } = options
      await using mesh = await connectToMesh(options, { acts: !dryRun })
      using operations = await openWithArchive(mesh, options)
      if (dryRun) {
        const plan = await operations.runs.planReplay(askedFor(options))
        print(json ? JSON.stringify(plan) : drawReplayPlan(plan, screen()))
        return
      }
      const limits = limitsOf(options)
      const { id } = await operations.runs.replay({ ...askedFor(options), who, reason, limits })
      await followRun(operations.runs, id, { json, who, reason })
    })
}

function askedFor(options: Options): ReplayOf {
  const { service, handler, stream, archive, epoch, type, key, asNew } = options
  const { fromSeq, toSeq, since, until } = options
  const from = {
    stream,
    archive,
    epoch,
    type,
    key,
    seqs: { from: fromSeq, to: toSeq },
    times: { from: since, to: until },
  }
  return { service, handler, from, asNew }
}
