import { fileURLToPath } from 'node:url'
import { freePorts } from '@malha/stack'
import { openRecorder, recorderEnv, type RecorderOptions } from '../chaos/history/recorder.ts'
import { at } from '../chaos/system/site.ts'
import { inheritedEnv } from '../reference/processes.ts'
import { type Clients, startClients } from './clients.ts'
import type { Endpoints } from './endpoints.ts'
import { startPod } from './pod.ts'

export type LoadOptions = {
  /** Centres a second. */
  centers: number
  /** Other events a second. */
  events: number
  front: Endpoints
  /** Environment of whoever publishes events. */
  env: Readonly<Record<string, string>>
  recording: (process: string) => RecorderOptions
  onLine: (process: string) => (line: string) => void
}

/** What is asked of a mesh while it is rolled. */
export interface Load extends AsyncDisposable {
  readonly clients: Clients
  /** Resolves when all that was published has its answer. */
  end(): Promise<void>
}

const PUBLISHER = 'load-publisher'

export async function startLoad({ centers, events, front, env, recording, onLine }: LoadOptions): Promise<Load> {
  await using opened = new AsyncDisposableStack()
  const [health] = (await freePorts(1)) as [number]
  const publisher = startPod({
    name: PUBLISHER,
    main: fileURLToPath(new URL('../chaos/workload/publisher.ts', import.meta.url)),
    env: {
      ...inheritedEnv(),
      ...env,
      ...recorderEnv(recording(PUBLISHER)),
      HEALTH_PORT: String(health),
      KIND: 'plain',
      RATE: String(events),
    },
    readyUrl: `${at(health)}/readyz`,
    onLine: onLine(PUBLISHER),
  })
  opened.defer(() => publisher.stop())
  await publisher.ready()
  const clients = startClients(front, { rate: centers, recorder: openRecorder(recording('api-clients')) })
  opened.defer(() => clients.stop())
  const all = opened.move()
  return {
    clients,
    async end() {
      publisher.signal('SIGUSR1')
      await clients.stop()
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
