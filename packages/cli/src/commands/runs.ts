import type { Mesh } from '@malha/mesh'
import { type Actor, openOperations, type Run, type Runs } from '@malha/operations'
import type { Command } from 'commander'
import { openWithArchive, withArchive } from '../connection/archive-option.ts'
import { asActor, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { openIndexed } from '../connection/open-indexed.ts'
import { followRun } from '../runs/follow-run.ts'
import { print, screen } from '../view/print.ts'
import { drawRun, drawRuns } from '../view/runs-view.ts'

type Json = ConnectOptions & { json?: true }
type WorkOptions = Json & Actor & { clickhouse: string }

/** `malha runs`: redrives and replays that are under way or over. */
export function register(program: Command): void {
  const runs = program
    .command('runs')
    .description('redrives and replays: which there were, how they stand, and a hand on them')
  withConnection(runs.command('list'))
    .description('the newest first')
    .option('--json', 'one JSON value: { runs }')
    .addHelpText('after', '\nExamples:\n  malha runs list\nExit codes: 0 listed, 1 an error.')
    .action(async ({ json, ...connection }: Json) => {
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      const list = await operations.runs.list()
      print(json ? JSON.stringify({ runs: list }) : drawRuns(list, screen()))
    })
  withConnection(runs.command('show'))
    .description('how a run stands')
    .argument('<run>')
    .option('--json', 'the run as one JSON value')
    .addHelpText('after', '\nExamples:\n  malha runs show 20261122-101500-3fa9c1\nExit codes: 0 shown, 1 an error.')
    .action(async (id: string, { json, ...connection }: Json) => {
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      show(await operations.runs.read(id), json)
    })
  registerTurn(runs, 'pause', 'send nothing more until it is resumed')
  registerTurn(runs, 'resume', 'let its runner send again')
  registerTurn(runs, 'cancel', 'send nothing more; what was sent is handled')
  withArchive(asActor(withConnection(runs.command('work'))))
    .description('go on with a run that nobody works on, or take it over')
    .argument('<run>')
    .option('--json', 'the run as one JSON value when it is over')
    .addHelpText(
      'after',
      `
Examples:
  malha runs work 20261122-101500-3fa9c1
Exit codes: 0 all sent letters are resolved, 1 an error, 3 some failed again or the run is not over.`,
    )
    .action(async (id: string, { json, who, reason, clickhouse, ...connection }: WorkOptions) => {
      await using mesh = await connectToMesh(connection, { acts: true })
      const { kind } = await whichRun(mesh, id)
      // A replay needs no letters.
      using operations = await (kind === 'redrive' ? openIndexed(mesh) : openWithArchive(mesh, { clickhouse }))
      await followRun(operations.runs, id, { json, who, reason })
    })
}

async function whichRun(mesh: Mesh, id: string): Promise<Run> {
  using operations = await openOperations(mesh)
  return await operations.runs.read(id)
}

function registerTurn(runs: Command, verb: keyof Pick<Runs, 'pause' | 'resume' | 'cancel'>, description: string): void {
  asActor(withConnection(runs.command(verb)))
    .description(description)
    .argument('<run>')
    .option('--json', 'the run as one JSON value')
    .addHelpText('after', `\nExamples:\n  malha runs ${verb} 20261122-101500-3fa9c1\nExit codes: 0 done, 1 an error.`)
    .action(async (id: string, { json, who, reason, ...connection }: Json & Actor) => {
      await using mesh = await connectToMesh(connection, { acts: true })
      using operations = await openOperations(mesh)
      show(await operations.runs[verb](id, { who, reason }), json)
    })
}

function show(run: Run, json: true | undefined): void {
  print(json ? JSON.stringify(run) : drawRun(run, screen()))
}
