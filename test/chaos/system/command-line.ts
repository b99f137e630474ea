import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { inheritedEnv } from '../../reference/processes.ts'
import type { CommandLine, Done } from '../system.ts'

type Begun = { child: ChildProcess; done: Promise<Done>; stderr: () => string }

/** Such a command on a machine with much else to do. */
const BEGINS_MS = 15_000
const LOOK_MS = 100

const MAIN = fileURLToPath(new URL('../../../packages/cli/src/main.ts', import.meta.url))

/** The `malha` command as somebody on call runs it: a process of its own, which finds all brokers through no proxy. */
export function commandLine({
  urls,
  user,
  cache,
  onLine,
}: {
  urls: readonly string[]
  /** By which it connects, in its environment. */
  user: Readonly<Record<string, string>>
  /** Where it keeps its index of letters. */
  cache: string
  onLine: (line: string) => void
}): CommandLine & AsyncDisposable {
  const running = new Set<ChildProcess>()
  const begin = (args: readonly string[]): Begun => {
    const env = { ...inheritedEnv(), MALHA_CACHE: cache, NATS_URL: urls.join(','), ...user, MALHA_WHO: 'chaos' }
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
    running.add(child)
    const written = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => (written[name] += text))
    const done = once(child, 'close').then(([code]): Done => {
      running.delete(child)
      onLine(`malha ${args.join(' ')}: ${String(code)}\n${written.stderr}`)
      return { ...written, code: code as number | null }
    })
    return { child, done, stderr: () => written.stderr }
  }
  return {
    run: (...args) => begin(args).done,
    begin(...args) {
      const { child, done, stderr } = begin(args)
      const kill = async (): Promise<void> => {
        child.kill('SIGKILL')
        await done
      }
      return {
        done,
        kill,
        async killBegun() {
          const isBegun = (): boolean => /run \d{8}-/.test(stderr()) || child.exitCode !== null
          for (let ms = 0; ms < BEGINS_MS && !isBegun(); ms += LOOK_MS) await sleep(LOOK_MS)
          await kill()
        },
      }
    },
    async [Symbol.asyncDispose]() {
      for (const child of running) child.kill('SIGKILL')
      await Promise.all([...running].map((child) => once(child, 'close')))
    },
  }
}
