import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandLine, Done } from '../system.ts'
import type { RunningSystem } from '../system/start-system.ts'

type HandlerLine = { service: string; handler: string; paused: object | null }
type RunLine = { id: string; state: string }

const OVER: ReadonlySet<string> = new Set(['done', 'stopped', 'cancelled'])

/**
 * What operators began is brought to its end: redrives and replays that were killed go on, but for those whose stream an operator
 * deleted, and handlers that are paused are resumed.
 * Resolves with what could not be, a sentence each.
 */
export async function finishWork({ malha }: RunningSystem): Promise<string[]> {
  return [...(await resumeAll(malha)), ...(await finishRuns(malha))]
}

async function resumeAll(malha: CommandLine): Promise<string[]> {
  const listed = await malha.run('handlers', 'list', '--json')
  if (listed.code !== 0) return [`the handlers could not be listed: ${listed.stderr}`]
  const { handlers } = JSON.parse(listed.stdout) as { handlers: HandlerLine[] }
  const troubles: string[] = []
  for (const { service, handler, paused } of handlers) {
    if (!paused) continue
    const resumed = await malha.run('handlers', 'resume', `${service}/${handler}`)
    if (resumed.code !== 0) troubles.push(`${service}/${handler} could not be resumed: ${resumed.stderr}`)
  }
  return troubles
}

async function finishRuns(malha: CommandLine): Promise<string[]> {
  const listed = await malha.run('runs', 'list', '--json')
  if (listed.code !== 0) return [`the runs could not be listed: ${listed.stderr}`]
  const { runs } = JSON.parse(listed.stdout) as { runs: RunLine[] }
  const troubles: string[] = []
  for (const { id, state } of runs) {
    if (OVER.has(state)) continue
    const worked = await workOn(malha, id)
    if (worked.stderr.includes('OPERATIONS_SLICE_GONE')) await malha.run('runs', 'cancel', id)
    else if (worked.code !== 0 && worked.code !== FAILED_AGAIN) troubles.push(`run ${id} has no end: ${worked.stderr}`)
  }
  return troubles
}

async function workOn(malha: CommandLine, id: string): Promise<Done> {
  const work = malha.begin('runs', 'work', id, '--json')
  const timer = setTimeout(() => void work.kill(), MOST_WORK_MS)
  try {
    return await work.done
  } finally {
    clearTimeout(timer)
  }
}

/** A run that takes longer has no end. */
const MOST_WORK_MS = 300_000

/** Exit code of a run after which letters are open still. */
const FAILED_AGAIN = 3
const TRIES = 5

/** Mends the handlers and sends every dead letter again. Resolves with what speaks against it, a sentence each. */
export async function mend(system: RunningSystem): Promise<string[]> {
  await system.mended()
  let last = ''
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const limits = ['--rate', '5000', '--stop-after', '1000000', '--most', '1000000']
    const { code, stderr } = await system.malha.run('dlq', 'redrive', '--service', 'load', ...limits, '--json')
    if (code === 0 || stderr.includes('OPERATIONS_NOTHING_TO_SEND')) return []
    last = `exit code ${String(code)}: ${stderr}`
    await sleep(1000)
  }
  return [`not every dead letter could be sent again: ${last}`]
}
