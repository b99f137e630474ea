import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { inheritedEnv, nodeFlags } from '../reference/processes.ts'
import type { Ask, Done } from './handler.ts'

const MAIN = fileURLToPath(new URL('handler.ts', import.meta.url))

export interface HandlerProcess extends AsyncDisposable {
  readonly pid: number
  ask(what: Ask): Promise<Done>
}

export function startHandler(url: string, parcels: number): HandlerProcess {
  const env = { ...inheritedEnv(), NATS_URL: url, PARCELS: String(parcels) }
  const child = fork(MAIN, { env, execArgv: [...nodeFlags], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return {
    pid: child.pid!,
    async ask(what) {
      const answered = once(child, 'message')
      child.send(what)
      return ((await answered) as [Done])[0]
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
