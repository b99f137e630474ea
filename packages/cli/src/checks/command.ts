import { delimiter } from 'node:path'
import { spawnChild } from '@malha/stack'
import type { Child } from '@malha/stack'
import { bin, root } from './workspace.ts'

export type CommandOptions = {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Hears each line; without it the lines come back in `output`. */
  onLine?: (line: string) => void
  timeoutMs?: number
}

export type CommandResult = { ok: boolean; output: string }

const running = new Set<Child>()
let ended = false
const TIMEOUT_MS = 300_000
/** The tools write to a pipe, so they cannot see for themselves whether a terminal is at its end. */
const COLORS: NodeJS.ProcessEnv = process.stdout.isTTY
  ? { FORCE_COLOR: '1' }
  : { NO_COLOR: '1', FORCE_COLOR: undefined }

/** Runs a tool of the workspace. It ends with this process, however that ends. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  if (ended) return { ok: false, output: `${command} was not started any more` }
  const { cwd = root, env = {}, timeoutMs = TIMEOUT_MS } = options
  const lines: string[] = []
  const onLine = options.onLine ?? ((line: string): void => void lines.push(line))
  const path = `${bin}${delimiter}${process.env['PATH'] ?? ''}`
  const child = spawnChild({ command, args, cwd, env: { ...process.env, ...COLORS, ...env, PATH: path }, onLine })
  child.process.stdin.end()
  running.add(child)
  const timer = setTimeout(() => {
    onLine(`${command} took longer than ${timeoutMs / 1000} s and was ended`)
    child.kill('SIGKILL')
  }, timeoutMs)
  const { code } = await child.exited
  clearTimeout(timer)
  running.delete(child)
  return { ok: code === 0, output: lines.join('\n') }
}

/** Ends what runs now, and what that started. Nothing is started after it. */
export async function endCommands(): Promise<void> {
  ended = true
  await Promise.all([...running].map((child) => child.stop({ graceMs: 3000 })))
}
