import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export type RunOptions = { env?: NodeJS.ProcessEnv; timeoutMs: number }

/**
 * Runs a program to its end and gives its stdout.
 * @throws Error with one line: the program is not there, took too long, or what it said last.
 */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { env = process.env, timeoutMs } = options
  try {
    const { stdout } = await promisify(execFile)(command, [...args], { env, timeout: timeoutMs, maxBuffer: 16 << 20 })
    return stdout
  } catch (error) {
    throw new Error(explain(error as Failure, timeoutMs), { cause: error })
  }
}

type Failure = { code?: string | number; killed?: boolean; stderr?: string }

function explain({ code, killed, stderr }: Failure, timeoutMs: number): string {
  if (code === 'ENOENT') return 'not found'
  if (killed) return `took longer than ${timeoutMs / 1000} s`
  const lines = (stderr ?? '').trim().split('\n')
  const telling = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1)
  return `${telling?.trim() || 'failed'} (${code})`
}
