import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NatsServer, startNats } from '@malha/stack'
import { atExit } from './at-exit.ts'

/** Reservations count in full, and a test's streams are never filled: enough for any number of them. */
const MAX_STORE_BYTES = 8 * 1024 ** 4

export type TestServerOptions = {
  /** Lines of nats-server configuration: accounts, users, limits. */
  config?: string
  /** Hears each line of its log. */
  onLine?: (line: string) => void
}

/** A server a test may kill: its ports and its data stay. */
export interface TestServer extends AsyncDisposable {
  /** `nats://127.0.0.1:<port>` */
  readonly url: string
  /** `http://127.0.0.1:<port>` */
  readonly monitorUrl: string
  readonly port: number
  /** Undefined while it is down. */
  readonly pid: number | undefined
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves when the process is gone. */
  stop(): Promise<void>
  /** Starts it again on its ports and its data; resolves when it answers. Nothing if it runs. */
  start(): Promise<void>
  /** `kill`, then `start`. */
  restart(): Promise<void>
}

/**
 * A nats-server with JetStream on free ports of 127.0.0.1 and a folder of its own, which goes with it.
 * @throws StackError when there is no nats-server to be had, or it does not come up
 */
export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-test-'))
  const removeData = (): Promise<void> => rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
  const settings = { dataDir, maxStoreBytes: MAX_STORE_BYTES, ...options }
  const first = await startNats(settings).catch(async (error: unknown) => {
    await removeData()
    throw error
  })
  const { url, monitorUrl, port, monitorPort } = first
  let running: NatsServer | undefined = first

  async function end(how: 'kill' | 'stop'): Promise<void> {
    const ending = running
    running = undefined
    if (how === 'kill') ending?.kill()
    else await ending?.stop()
    await ending?.exited
  }

  async function start(): Promise<void> {
    running ??= await startNats({ ...settings, port, monitorPort })
  }

  const forget = atExit(() => {
    if (running) process.kill(running.pid, 'SIGKILL')
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
  })

  return {
    url,
    monitorUrl,
    port,
    get pid() {
      return running?.pid
    },
    kill: () => end('kill'),
    stop: () => end('stop'),
    start,
    async restart() {
      await end('kill')
      await start()
    },
    async [Symbol.asyncDispose]() {
      forget()
      await end('kill')
      await removeData()
    },
  }
}
