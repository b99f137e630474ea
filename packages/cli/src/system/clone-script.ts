import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { spawnChild } from '@malha/stack'
import { root } from '../checks/workspace.ts'
import { CliError } from '../cli-error.ts'
import { wantsColors } from '../view/say.ts'
import { listenForStop } from './stop-request.ts'

export type CloneScript = {
  /** The command it is for. */
  command: string
  /** Below `test`. */
  file: string
  args: readonly string[]
  onLine: (line: string, from: 'stdout' | 'stderr') => void
  /** How long it may take to end after it was asked to, ms. @default 5000 */
  graceMs?: number
}

/**
 * Runs a script of the clone that this command is run in: what is no part of a package.
 * @returns its exit code, or 130 when it was stopped
 * @throws CliError CLI_INVALID_OPTION outside of a clone
 */
export async function runCloneScript({ command, file, args, onLine, graceMs = 5000 }: CloneScript): Promise<number> {
  const script = join(root, 'test', file)
  await access(script).catch((cause: unknown) => {
    const message = `\`malha ${command}\` is for a clone of the repository: run ./malha ${command} there`
    throw new CliError('CLI_INVALID_OPTION', message, { cause })
  })
  using stop = listenForStop()
  const env = { ...process.env, FORCE_COLOR: wantsColors(process.stdout) ? '1' : '0' }
  const child = spawnChild({ command: process.execPath, args: [script, ...args], env, onLine })
  void stop.asked.then(() => child.stop({ graceMs }))
  const { code } = await child.exited
  return stop.signal.aborted ? 130 : (code ?? 1)
}
