import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '@malha/testing'

const MAIN = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))

/** A `malha` command that runs, with all it wrote so far. */
export interface MalhaCommand extends AsyncDisposable {
  readonly process: ChildProcess
  readonly pid: number
  readonly stdout: string
  readonly stderr: string
  /** Settles with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
}

/** Runs `malha` from the sources. What is still running at the end of the test is killed; its children end with it. */
export function malha(...args: string[]): MalhaCommand {
  return malhaAs({}, ...args)
}

/** The same, as somebody: by the environment of a user of the broker. */
export function malhaAs(user: Readonly<Record<string, string>>, ...args: string[]): MalhaCommand {
  const env = { ...process.env, ...user }
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (written[name] += text))
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  return {
    process: child,
    pid: child.pid!,
    get stdout() {
      return written.stdout
    },
    get stderr() {
      return written.stderr
    },
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}

/** Where a running system is, as its one line on stdout says. */
export type Up = {
  nats: string
  natsUsers: string
  natsMonitor: string
  traces: string
  tracesBackend: string
  api: string
  partners: Record<string, string>
  partnerControls: Record<string, string>
  services: Record<string, { pid: number; health: string }>
}

/** Waits for the line of `malha up --json`. Fails with what it wrote to stderr when it ends before. */
export async function untilUp(command: MalhaCommand): Promise<Up> {
  let over: number | NodeJS.Signals | undefined
  void command.ended.then((how) => (over = how))
  const isOver = (): void => {
    if (!command.stdout.includes('\n') && over === undefined) throw new Error(`malha is not up:\n${command.stderr}`)
  }
  await eventually(isOver, { timeoutMs: 120_000 })
  if (over !== undefined) throw new Error(`malha ended with ${over} before it was up:\n${command.stderr}`)
  return JSON.parse(command.stdout) as Up
}

/** Children of a process and theirs, and what each was started with. Linux. */
export function descendants(pid: number): Map<number, string> {
  const parents = readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? (processOf(Number(entry)) ?? []) : []))
  const found = new Map<number, string>()
  const add = (parent: number): void => {
    for (const each of parents)
      if (each.parent === parent) {
        found.set(each.pid, each.started)
        add(each.pid)
      }
  }
  add(pid)
  return found
}

/** Which of these still run: a pid that was given to another process since is not one of them. */
export function stillRunning(processes: ReadonlyMap<number, string>): number[] {
  return [...processes].filter(([pid, started]) => processOf(pid)?.started === started).map(([pid]) => pid)
}

/** proc_pid_stat(5): state is field 3, parent 4, start time 22. A zombie has ended. */
function processOf(pid: number): { pid: number; parent: number; started: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : { pid, parent: Number(fields[1]), started: fields[19]! }
  } catch {
    return undefined
  }
}

/** A folder for one test. */
export async function dataFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'malha-e2e-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}
