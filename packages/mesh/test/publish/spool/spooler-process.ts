import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { TestMesh } from '@malha/testing'

export type SpoolerLine = { ready?: true; n?: number; queued?: boolean; code?: string; message?: string }

export interface Spooler extends AsyncDisposable {
  readonly child: ChildProcess
  readonly lines: SpoolerLine[]
  readonly errors: string[]
  readonly exited: Promise<number | null>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** Runs `spooler.ts` as a process of its own. `fileBlocks`: it may write no file beyond so many blocks, as on a disk that is full. */
export function startSpooler(
  file: string,
  { url, namespace }: Pick<TestMesh, 'url' | 'namespace'>,
  { count, fileBlocks }: { count: number; fileBlocks?: number },
): Spooler {
  const script = fileURLToPath(new URL('spooler.ts', import.meta.url))
  const args = [script, file, url, namespace, String(count)]
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const limit = `ulimit -f ${fileBlocks ?? 'unlimited'}; exec "$0" "$@"`
  const child = spawn('sh', ['-c', limit, process.execPath, ...args], {
    env: { PATH, ...(fileBlocks === undefined && { NODE_COMPILE_CACHE }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: SpoolerLine[] = []
  const errors: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line) as SpoolerLine))
  createInterface(child.stderr).on('line', (line) => errors.push(line))
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  return { child, lines, errors, exited, kill, [Symbol.asyncDispose]: kill }
}
