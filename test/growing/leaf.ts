import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '@malha/stack'
import { testServer, type TestServer } from '@malha/testing'

/** Two servers that are one by a leaf node: subjects cross, each has a JetStream of its own, in a domain of its own. */
export type Joined = AsyncDisposable & { readonly hub: TestServer; readonly edge: TestServer }

export async function joinedByALeafNode(): Promise<Joined> {
  await using opened = new AsyncDisposableStack()
  const [port] = await freePorts(1)
  const folder = await mkdtemp(join(tmpdir(), 'malha-leaf-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const domain = (name: string): string =>
    `jetstream { domain: ${name}, store_dir: ${JSON.stringify(join(folder, name))}, max_file_store: ${8 * 1024 ** 4} }`
  const hub = opened.use(await testServer({ config: `${domain('hub')}\nleafnodes { listen: "127.0.0.1:${port}" }` }))
  const edge = opened.use(
    await testServer({
      config: `${domain('edge')}\nleafnodes { reconnect: 1, remotes: [{ url: "nats-leaf://127.0.0.1:${port}" }] }`,
    }),
  )
  const all = opened.move()
  return { hub, edge, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
