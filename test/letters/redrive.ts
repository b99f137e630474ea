import { setTimeout as sleep } from 'node:timers/promises'
import { malhaCommand } from './command.ts'
import type { Done } from './handler.ts'
import type { Scene } from './measure.ts'
import { type Memory, watchMemory } from './memory.ts'
import type { Redriven } from './result.ts'

export const NO_LIMIT = 1_000_000

export const redriveArgs = ({ server }: Pick<Scene, 'server'>, which: readonly string[], rate: number): string[] => [
  'dlq',
  'redrive',
  ...which,
  '--rate',
  String(rate),
  '--json',
  '--server',
  server,
]

/** A group, by the command; nobody has a page open. */
export async function redriveGroup(scene: Scene, { group, rate }: { group: string; rate: number }): Promise<Redriven> {
  return await byCommand(scene, { which: ['--group', group], rate })
}

/** Whatever is left, while somebody watches. */
export async function redriveAll(scene: Scene): Promise<Redriven> {
  await using _page = scene.console.watch()
  return await byCommand(scene, { which: ['--all'], rate: NO_LIMIT })
}

async function byCommand(scene: Scene, { which, rate }: { which: string[]; rate: number }): Promise<Redriven> {
  const { handler, console, cache, say } = scene
  say(`redriving ${which.join(' ')} at ${rate}/s`)
  await handler.ask('take')
  using watch = watchMemory(console.command.pid)
  const { stdout, lastedMs, memory } = await malhaCommand(redriveArgs(scene, which, rate), { cache }).ended
  const { counts } = JSON.parse(stdout) as { counts: { ok: number } }
  const done = await handler.ask('take')
  return told(say, { letters: counts.ok, commandMs: lastedMs, runner: memory, done, console: watch.memory })
}

type RunView = { id: string; state: string; counts: { ok: number } }

/** A group, by the console itself, on whose page somebody watches. */
export async function redriveByConsole({ handler, console, say }: Scene, group: string): Promise<Redriven> {
  say('redriving a group, the console being the runner')
  await handler.ask('take')
  using watch = watchMemory(console.command.pid)
  await using _page = console.watch()
  const limits = { perSecond: NO_LIMIT }
  let run = await console.post<RunView>('/runs', { filter: { group }, reason: 'to measure it', limits })
  while (run.state === 'running') {
    await sleep(250)
    run = await console.get<RunView>(`/runs/${run.id}`)
  }
  const done = await handler.ask('take')
  const { memory } = watch
  return told(say, { letters: run.counts.ok, commandMs: null, runner: memory, done, console: memory })
}

type Told = { letters: number; commandMs: number | null; runner: Memory; console: Memory; done: Done }

function told(say: Scene['say'], { letters, commandMs, runner, console, done }: Told): Redriven {
  if (done.calls - done.again !== letters)
    throw new Error(`${letters} letters were resolved, and the handler called ${done.calls} times`)
  const full = done.bySecond.slice(1, -1)
  const result = {
    letters,
    perSecond: (done.calls / done.lastedMs) * 1000,
    slowest: Math.min(...full),
    fastest: Math.max(...full),
    commandMs,
    runnerMb: runner.peakMb,
    consoleMb: console.peakMb,
    again: done.again,
    memory: runner.series.filter((_, index) => index % 5 === 0),
    bySecond: done.bySecond,
  }
  const { memory: _, bySecond: __, ...figures } = result
  say(JSON.stringify(figures))
  return result
}
