import { fileURLToPath } from 'node:url'
import { type Child, freePorts, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { inheritedEnv } from '../../reference/processes.ts'
import type { Lab } from './fault.ts'
import { repeater } from './repeat.ts'

const SCRIPT = fileURLToPath(new URL('process.ts', import.meta.url))
const MODES = ['busy', 'leaky', 'frozen', 'restarting'] as const

/** Processes that hang, compute for long, leak calls, and end again and again. */
export async function processLab(url: string): Promise<Lab> {
  await using opening = new AsyncDisposableStack()
  const [nowhere, ...ports] = await freePorts(1 + MODES.length)
  const running = new Map<string, Child>()
  const address = (name: (typeof MODES)[number]): string => `127.0.0.1:${ports[MODES.indexOf(name)]}`
  async function start(name: (typeof MODES)[number], mode: string = name): Promise<void> {
    const env = {
      ...inheritedEnv(),
      MODE: mode,
      NATS_URL: url,
      HEALTH_PORT: String(ports[MODES.indexOf(name)]),
      // Nobody listens there: spans are lost.
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${nowhere}`,
    }
    running.set(name, spawnChild({ command: process.execPath, args: [SCRIPT], env }))
    await eventually(async () => (await fetch(`http://${address(name)}/livez`)).ok)
  }
  const stop = async (name: string): Promise<void> => void (await running.get(name)?.stop({ graceMs: 500 }))
  for (const name of MODES) opening.defer(() => stop(name))
  for (const name of MODES) await start(name, 'quiet')
  const restarts = repeater(2000, async () => {
    await stop('restarting')
    await start('restarting', 'quiet')
  })
  opening.defer(() => restarts.stop())
  const rest = opening.move()
  return {
    targets: MODES.map((name) => address(name)),
    faults: [
      {
        alerts: ['TargetDown'],
        begin: async () => running.get('frozen')!.kill('SIGSTOP'),
        end: async () => running.get('frozen')!.kill('SIGCONT'),
      },
      { alerts: ['ProcessRestarting'], begin: async () => restarts.start(), end: () => restarts.stop() },
      {
        alerts: ['EventLoopSlow'],
        async begin() {
          await stop('busy')
          await start('busy')
        },
        async end() {
          await stop('busy')
          await start('busy', 'quiet')
        },
      },
      {
        // A process forgets what it leaked when it ends.
        alerts: ['HandlerCallsLeaked', 'ReplyCallsLeaked', 'SpansDropped'],
        async begin() {
          await stop('leaky')
          await start('leaky')
        },
        async end() {
          await stop('leaky')
          await start('leaky', 'quiet')
        },
      },
    ],
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
