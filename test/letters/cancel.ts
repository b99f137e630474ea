import { setTimeout as sleep } from 'node:timers/promises'
import { malhaCommand } from './command.ts'
import type { Scene } from './measure.ts'
import { NO_LIMIT, redriveArgs } from './redrive.ts'
import type { Letters } from './result.ts'

type Run = { id: string; state: string; counts: { sent: number; ok: number } }

/** Somebody cancels a run in full swing; then what is left of the group is sent. */
export async function cancelOne(scene: Scene, group: string): Promise<Letters['cancelled']> {
  const { handler, console, cache, say } = scene
  say('cancelling a run')
  await handler.ask('take')
  const { total } = await console.letters(`limit=1&group=${group}&state=open`)
  const args = redriveArgs(scene, ['--group', group], NO_LIMIT)
  await using first = malhaCommand(args, { cache, isDone: false })
  while ((await handler.ask('look')).calls < total / 4) await sleep(20)
  const [run] = (await console.get<{ runs: Run[] }>('/runs')).runs
  const askedAt = performance.timeOrigin + performance.now()
  await console.post(`/runs/${run!.id}/cancel`, { reason: 'to measure it' })
  const { stdout } = await first.ended
  const runnerMs = performance.timeOrigin + performance.now() - askedAt
  const { counts, state } = JSON.parse(stdout) as Run
  if (state !== 'cancelled') throw new Error(`the run that was cancelled is ${state}`)
  let done = await handler.ask('look')
  while (done.calls < counts.sent && performance.timeOrigin + performance.now() < askedAt + 30_000) {
    await sleep(50)
    done = await handler.ask('look')
  }
  const handled = done.calls
  const lastCallMs = done.lastAt - askedAt
  await malhaCommand(args, { cache }).ended
  const all = await handler.ask('take')
  if (all.calls !== total) throw new Error(`of ${total} letters ${all.calls} were handled`)
  const result = { runnerMs, lastCallMs, sent: counts.sent, handled, handledInTheEnd: all.calls, again: all.again }
  say(JSON.stringify(result))
  return result
}
