import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Child, spawnChild } from '@malha/stack'
import { eventually, type TestMesh, untilSettled } from '@malha/testing'
import { type ConsumerInfo, jetstreamManager, jetstream } from '@nats-io/jetstream'
import { type FaultMesh, faultMesh } from './fault-mesh.ts'
import { source } from './jobs.ts'
import { worker } from './worker.ts'

/** Counts the calls for each job. */
export interface Partner extends AsyncDisposable {
  readonly url: string
  readonly calls: ReadonlyMap<string, number>
}

/** @param answer decides when and how a call is answered; @default at once, 200 */
export async function partner(answer?: (jobId: string, response: ServerResponse) => void): Promise<Partner> {
  const calls = new Map<string, number>()
  const server = createServer((request, response) => {
    const jobId = request.url?.slice(1) ?? ''
    calls.set(jobId, (calls.get(jobId) ?? 0) + 1)
    request.resume()
    request.on('end', () => {
      if (answer) answer(jobId, response)
      else response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A worker process, handlers bound. */
export interface Worker extends AsyncDisposable {
  readonly pid: number
  /** SIGTERM; resolves with the exit code once it has drained. */
  drain(): Promise<number | null>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** Processes of `worker.ts`, and whoever asks for jobs. */
export interface WorkerMesh extends FaultMesh {
  /** @param natsUrl @default that of the server */
  startWorker(natsUrl?: string): Promise<Worker>
}

type WorkerOptions = {
  partner: Partner
  /** How soon what a killed worker had in hand comes again, ms. @default 30 000 */
  ackWaitMs?: number
}

export async function workerMesh({ partner: office, ackWaitMs = 30_000 }: WorkerOptions): Promise<WorkerMesh> {
  const env = { PARTNER_URL: office.url, ACK_WAIT_MS: String(ackWaitMs) }
  const mesh = await faultMesh([source, worker(env)])
  return Object.assign(mesh, {
    startWorker: (natsUrl = mesh.url) =>
      startProcess({
        file: new URL('worker.ts', import.meta.url),
        env: { ...mesh.as('worker'), NATS_URL: natsUrl, ...env },
        isReady: (said) => said.includes('is bound'),
      }),
  })
}

/** A process that answers the requests of sums.ts. */
export function startResponder(t: FaultMesh): Promise<Worker> {
  const isReady = (said: string): boolean => said.includes('answers sum.of') && said.includes('answers sum.counting')
  return startProcess({ file: new URL('responder.ts', import.meta.url), env: t.as('sums'), isReady })
}

type ProcessOptions = { file: URL; env: Record<string, string>; isReady: (said: string) => boolean }

export async function startProcess({ file, env, isReady }: ProcessOptions): Promise<Worker> {
  const lines: string[] = []
  const child: Child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(file)],
    env: { ...process.env, ...env },
    onLine: (line) => lines.push(line),
  })
  await eventually(
    () => {
      const said = lines.join('\n')
      if (!isReady(said)) throw new Error(`${file.pathname} is not ready (exit ${child.exit?.code}):\n${said}`)
    },
    { timeoutMs: 60_000 },
  )
  return {
    pid: child.pid,
    async drain() {
      child.kill('SIGTERM')
      return (await child.exited).code
    },
    async kill() {
      child.kill('SIGKILL')
      await child.exited
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

type Looked = Pick<TestMesh, 'mesh' | 'nats'>

/** How often each id (`ce-id`) of each type is in a stream. */
export async function storedIds(t: Looked, name = 'JOBS'): Promise<Map<string, Map<string, number>>> {
  const stream = t.mesh.names.stream(name)
  const { state } = await (await jetstreamManager(t.nats)).streams.info(stream)
  const types = new Map<string, Map<string, number>>()
  if (state.messages === 0) return types
  const consumer = await jetstream(t.nats).consumers.get(stream)
  for await (const { seq, headers, info } of await consumer.consume({ max_messages: 2_000 })) {
    const [id, type] = [headers?.get('ce-id') ?? '', headers?.get('ce-type') ?? '']
    const counts = types.get(type) ?? new Map<string, number>()
    types.set(type, counts.set(id, (counts.get(id) ?? 0) + 1))
    if (seq >= state.last_seq || info.pending === 0) break
  }
  await consumer.delete()
  return types
}

/** The durable of a handler of the worker, once it has nothing more to do. */
export async function settled({ nats, mesh: { names } }: Looked, handler: string): Promise<ConsumerInfo> {
  const [stream, durable] = [names.stream('JOBS'), names.durable('worker', handler, 'keyed')]
  return untilSettled(nats, stream, durable, { timeoutMs: 180_000, intervalMs: 100 })
}

/** How many dead letters there are. */
export async function deadLetters(t: Looked): Promise<number> {
  const jsm = await jetstreamManager(t.nats)
  return (await jsm.streams.info(t.mesh.names.stream('DEAD_LETTERS'))).state.messages
}
