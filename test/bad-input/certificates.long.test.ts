import { connectMesh, defineService, event, type Mesh, meshOptions, on, stream } from '@malha/mesh'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { authority } from '../certificates/authority.ts'
import { reload } from '../certificates/reload.ts'
import { filesOf, tlsBlock, tlsOf, volumeOf } from '../certificates/tls-files.ts'

const things = stream('THINGS', { subjects: ['thing.>'] })
const made = event('thing.made', { stream: things, schema: z.object({ n: z.number() }) })

const worker = (handled: number[]) =>
  defineService('worker', {
    publishes: [made],
    handlers: { work: on(made, { startFrom: 'all' }, ({ n }) => void handled.push(n)) },
  })

it(
  'a certificate that goes wrong under a running process shows as its reason not to be ready; what is published meanwhile waits, and goes on when the file is right again',
  { timeout: 180_000 },
  async () => {
    const [known, unknown] = await Promise.all([authority('known to all'), authority('unknown to the other')])
    await using stack = new AsyncDisposableStack()
    const good = { server: await known.issue('nats'), client: await known.issue('worker', { use: 'client' }) }
    const own = stack.use(await volumeOf(good.server, known))
    const theirs = stack.use(await volumeOf(good.client, known))
    const config = tlsBlock(own, 'verify: true')
    const heard: string[] = []
    const server = stack.use(await testServer({ config, onLine: (line) => heard.push(line) }))
    const said: string[] = []
    const note = (_: object, message = ''): void => void said.push(message)
    const ignore = (): void => undefined
    const mesh: Mesh = stack.use(
      await connectMesh({
        ...meshOptions({ NATS_URL: server.url }),
        tls: tlsOf(theirs),
        logger: { debug: ignore, info: ignore, warn: note, error: note },
      }),
    )
    const handled: number[] = []
    await mesh.start(worker(handled))
    const anew = async (): Promise<void> => {
      const reloads = (): number => heard.filter((line) => line.includes('Reloaded server configuration')).length
      const before = reloads()
      await reload(server)
      await eventually(() => expect(reloads()).toBe(before + 1))
    }
    const wrongs: [breaks: () => Promise<void>, told: RegExp][] = [
      [
        async () => own.write(filesOf(await known.issue('nats', { days: -1 }), known)),
        /^MESH_CONNECT_FAILED: .* its certificate ended at /,
      ],
      [async () => own.write(filesOf(await unknown.issue('nats'), known)), /which is not among the authorities in /],
      [
        async () => theirs.write(filesOf(await known.issue('worker', { use: 'client', days: -1 }), known)),
        /^MESH_CONNECT_FAILED: .* it wants a client certificate, and the one in .* ended at /,
      ],
      [
        async () => theirs.write({ ...filesOf(good.client, known), 'tls.key': '' }),
        /^MESH_INVALID_OPTIONS.*holds no private key/s,
      ],
    ]
    for (const [n, [breaks, told]] of wrongs.entries()) {
      await breaks()
      await anew()
      expect(mesh.health().ready).toBe(true)
      await mesh.nats.reconnect()
      await eventually(() =>
        expect(mesh.health()).toEqual({
          ready: false,
          reasons: expect.arrayContaining(['NATS is away', expect.stringMatching(told)]),
        }),
      )
      const publishing = mesh.publish(made, { n }, { timeoutMs: 30_000 })
      // Who does not wait that long is told, and nothing was stored.
      await expect(mesh.publish(made, { n: -1 }, { timeoutMs: 100 })).rejects.toThrow('MESH_PUBLISH_TIMEOUT')
      await own.write(filesOf(good.server, known))
      await theirs.write(filesOf(good.client, known))
      await anew()
      await publishing
      await eventually(() => expect(mesh.health()).toEqual({ ready: true, reasons: [] }))
    }
    await eventually(() => expect(handled).toEqual(wrongs.map((_, n) => n)))
    const { state } = await (await jetstreamManager(mesh.nats)).streams.info('THINGS')
    expect(state.messages).toBe(wrongs.length)
    // Each once, however often it was tried.
    expect(said.filter((line) => line.includes('does not take this process back'))).toHaveLength(wrongs.length)
  },
)
