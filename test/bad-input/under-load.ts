import { setInterval } from 'node:timers/promises'
import { connectMesh, defineService, event, type Logger, type Mesh, type MeshOptions, on, stream } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect } from 'vitest'
import { z } from 'zod'

const things = stream('THINGS', { subjects: ['thing.>'] })
const schema = z.object({ n: z.number() })
const made = event('thing.made', { stream: things, schema })
const done = event('thing.done', { stream: things, schema })
const EVERY_MS = 20

type Said = { readonly level: string; readonly message: string; readonly fields: { readonly err?: Error } }

/** A service in this process, and a steady load on it, whatever becomes of its connection. */
export interface UnderLoad extends AsyncDisposable {
  readonly mesh: Mesh
  /** What it logged, but for details. */
  readonly said: readonly Said[]
  times(message: RegExp): number
  /** Resolves when so many more were published. */
  goesOn(count: number): Promise<void>
  /** Ends the load. Resolves when all that was published is stored, and handled, once. */
  nothingLost(): Promise<void>
  /** That a publish now waits in vain. */
  cannotPublish(): Promise<void>
}

export async function underLoad(options: MeshOptions): Promise<UnderLoad> {
  const said: Said[] = []
  const at =
    (level: string): Logger['info'] =>
    (fields, message) =>
      void said.push({ level, message, fields })
  const logger: Logger = { debug: () => undefined, info: at('info'), warn: at('warn'), error: at('error') }
  const mesh = await connectMesh({ ...options, logger })
  await mesh.start(
    defineService('worker', {
      publishes: [made, done],
      handlers: {
        work: on(made, { startFrom: 'all', concurrency: 4, ackWaitMs: 2000 }, ({ n }, ctx) => ctx.publish(done, { n })),
      },
    }),
  )
  const stopping = new AbortController()
  let published = 0
  const load = (async () => {
    for await (const _ of setInterval(EVERY_MS)) {
      if (stopping.signal.aborted) return
      await mesh.publish(made, { n: published++ }, { timeoutMs: 60_000 })
    }
  })()
  // Awaited at the end; a test that fails before closes what it publishes on.
  load.catch(() => undefined)
  return {
    mesh,
    said,
    times: (message) => said.filter((one) => message.test(one.message)).length,
    async goesOn(count) {
      const before = published
      await eventually(() => expect(published).toBeGreaterThan(before + count))
    },
    async nothingLost() {
      stopping.abort()
      await load
      const { streams } = await jetstreamManager(mesh.nats)
      const counts = async (): Promise<unknown> =>
        (await streams.info('THINGS', { subjects_filter: 'thing.>' })).state.subjects
      await eventually(async () => expect(await counts()).toEqual({ 'thing.made': published, 'thing.done': published }))
    },
    cannotPublish: () =>
      expect(mesh.publish(made, { n: -1 }, { timeoutMs: 200 })).rejects.toThrow('MESH_PUBLISH_TIMEOUT'),
    [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose](),
  }
}
