import { fileURLToPath } from 'node:url'
import { type Child, spawnChild } from '@malha/stack'
import type { Fixture } from './fixture.ts'

/** A relay in a process of its own. */
export interface RelayProcess extends AsyncDisposable {
  readonly child: Child
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

export function relayProcess(f: Fixture): RelayProcess {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL('relay-process.ts', import.meta.url))],
    env: {
      PATH,
      NODE_COMPILE_CACHE,
      DATABASE_URL: f.db.url,
      NATS_URL: f.broker.url,
      NAMESPACE: f.broker.namespace,
    },
  })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await child.exited
  }
  return { child, kill, [Symbol.asyncDispose]: kill }
}
