import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inheritedEnv } from '../reference/processes.ts'
import { type Memory, watchMemory } from './memory.ts'

const WRAPPER = fileURLToPath(new URL('../../malha', import.meta.url))

export type Ended = { code: number | null; stdout: string; lastedMs: number; memory: Memory }

/** `./malha` as people run it, with the memory it gives itself. */
export interface Command extends AsyncDisposable {
  readonly pid: number
  readonly stdout: string
  readonly memory: Memory
  readonly ended: Promise<Ended>
}

type Where = {
  /** Where it keeps its index of letters. */ cache: string
  /** Whether it should end well. @default true */ isDone?: boolean
}

export function malhaCommand(args: readonly string[], { cache, isDone = true }: Where): Command {
  const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`
  const startedAt = performance.now()
  const child = spawn(WRAPPER, args, {
    stdio: ['ignore', 'pipe', process.env['VERBOSE'] ? 'inherit' : 'pipe'],
    env: { ...inheritedEnv(), PATH: path, MALHA_CACHE: cache, MALHA_WHO: 'the measurement' },
  })
  const written = { stdout: '', stderr: '' }
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (written.stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (written.stderr += text))
  const watch = watchMemory(child.pid!)
  const ended = once(child, 'close').then(([code]): Ended => {
    watch[Symbol.dispose]()
    const { stdout, stderr } = written
    if (isDone && code !== 0) throw new Error(`malha ${args.join(' ')} ended with ${String(code)}: ${stderr}`)
    return { code, stdout, lastedMs: performance.now() - startedAt, memory: watch.memory }
  })
  ended.catch(() => undefined)
  return {
    pid: child.pid!,
    get stdout() {
      return written.stdout
    },
    get memory() {
      return watch.memory
    },
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended.catch(() => undefined)
    },
  }
}
