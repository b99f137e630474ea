import { openOperations, type Operations } from '@malha/operations'
import type { Command } from 'commander'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { openIndexed } from '../connection/open-indexed.ts'
import { followRun } from '../runs/follow-run.ts'
import { print, screen } from '../view/print.ts'
import { drawRun, drawRuns } from '../view/runs-view.ts'

type Json = ConnectOptions & { json?: true }

/** `malha runs`: redrives that are under way or over. */
export function register(program: Command): void {
  const runs = program.command('runs').description('redrives: which there were, how they stand, and a hand on them')
  withConnection(runs.command('list'))
    .description('the newest first')
    .option('--json', 'one JSON value: { runs }')
    .action(async ({ json, ...connection }: Json) => {
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      const list = await operations.runs.list()
      print(json ? JSON.stringify({ runs: list }) : drawRuns(list, screen()))
    })
  registerOne(runs, 'show', 'how a run stands', ({ runs: all }, id) => all.read(id))
  registerOne(runs, 'pause', 'send nothing more until it is resumed', ({ runs: all }, id) => all.pause(id))
  registerOne(runs, 'resume', 'let its runner send again', ({ runs: all }, id) => all.resume(id))
  registerOne(runs, 'cancel', 'send nothing more; what was sent is handled', ({ runs: all }, id) => all.cancel(id))
  withConnection(runs.command('work'))
    .description('go on with a run that nobody works on, or take it over')
    .argument('<run>')
    .option('--json', 'the run as one JSON value when it is over')
    .action(async (id: string, { json, ...connection }: Json) => {
      await using mesh = await connectToMesh(connection, { acts: true })
      using operations = await openIndexed(mesh)
      await followRun(operations.runs, id, { json })
    })
}

function registerOne(
  runs: Command,
  name: string,
  description: string,
  act: (operations: Operations, id: string) => ReturnType<Operations['runs']['read']>,
): void {
  withConnection(runs.command(name))
    .description(description)
    .argument('<run>')
    .option('--json', 'the run as one JSON value')
    .action(async (id: string, { json, ...connection }: Json) => {
      await using mesh = await connectToMesh(connection, { acts: true })
      using operations = await openOperations(mesh)
      const run = await act(operations, id)
      print(json ? JSON.stringify(run) : drawRun(run, screen()))
    })
}
