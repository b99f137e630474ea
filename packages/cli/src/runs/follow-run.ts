import type { Actor, Run, Runs } from '@malha/operations'
import { createLogUpdate } from 'log-update'
import { listenForStop } from '../system/stop-request.ts'
import { print, screen } from '../view/print.ts'
import { drawRun, runLine } from '../view/runs-view.ts'
import { say } from '../view/say.ts'

/** Some messages failed again, or the run is not over. */
const NOT_ALL = 3
const PLAIN_EVERY_MS = 3000

/** Works on a run until it is over or somebody stops this process, and shows how it goes. */
export async function followRun(
  runs: Runs,
  id: string,
  { json, who, reason, also }: Actor & { json?: true | undefined; /** Printed beside it, as JSON. */ also?: object },
): Promise<void> {
  using stop = listenForStop()
  say(`run ${id}`)
  const run = await runs.work(id, { who, reason, signal: stop.signal, onProgress: progressOn(process.stderr) })
  print(json ? JSON.stringify(also ? { ...also, run } : run) : drawRun(run, screen()))
  const { sent, ok, already } = run.counts
  if (run.state !== 'done' || ok + already < sent) process.exitCode = NOT_ALL
}

/** One line that changes on a terminal; elsewhere a line every few seconds. */
function progressOn(out: NodeJS.WriteStream): (run: Run) => void {
  if (out.isTTY) {
    const live = createLogUpdate(out)
    return (run) => live(runLine(run))
  }
  let saidAt = 0
  return (run) => {
    if (Date.now() - saidAt < PLAIN_EVERY_MS) return
    saidAt = Date.now()
    say(runLine(run))
  }
}
