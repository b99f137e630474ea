import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { eventually } from '@malha/testing'

export type ServiceProcess = AsyncDisposable & {
  /** Parsed lines of stdout; one that is no JSON makes `exit` fail. */
  lines: Record<string, unknown>[]
  kill(signal: NodeJS.Signals): void
  /** What it ended with. */
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>
  /** Resident memory, MB. */
  rssMb(): Promise<number>
}

/** Runs the service as it is shipped. Neither a test nor three minutes are outlived. */
export function runService(env: Record<string, string>): ServiceProcess {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child: ChildProcess = spawn(process.execPath, [main], {
    env: { PATH, NODE_COMPILE_CACHE, HEALTH_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 180_000,
    killSignal: 'SIGKILL',
  })
  const lines: Record<string, unknown>[] = []
  let stderr = ''
  child.stderr!.on('data', (chunk: Buffer) => (stderr += String(chunk)))
  const read = (async () => {
    for await (const line of createInterface({ input: child.stdout! })) lines.push(JSON.parse(line) as never)
  })()
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const exit = Promise.all([ended, read]).then(([[code, signal]]) => ({ code, signal, stderr }))
  exit.catch(() => undefined)
  return {
    lines,
    exit,
    kill: (signal) => void child.kill(signal),
    async rssMb() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}

/** Waits until a process that listens on `port` says that it is ready. */
export async function ready(healthUrl: string): Promise<void> {
  const check = async (): Promise<boolean> => {
    const answer = await fetch(`${healthUrl}/readyz`)
    if (answer.status !== 200) throw new Error(`/readyz answered ${answer.status}: ${await answer.text()}`)
    return true
  }
  await eventually(check, { timeoutMs: 60_000 })
}
