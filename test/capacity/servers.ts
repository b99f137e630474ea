import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh, type Mesh } from '@malha/mesh'
import { startNats, startNatsCluster } from '@malha/stack'
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'

/** A server of its own, in a folder of its own. */
export interface Server extends AsyncDisposable {
  readonly mesh: Mesh
  readonly jsm: JetStreamManager
  /** What the process holds and uses, of each server, bytes: its heap after a collection. */
  heaps(): Promise<number[]>
  readonly pids: readonly number[]
  readonly nodes: readonly string[]
  /** Of each server's folder, bytes. */
  onDisk(): Promise<number[]>
}

const MAX_STORE = 8 * 1024 ** 4

export async function startServer(options: { replicas?: 1 | 3; syncAlways?: boolean } = {}): Promise<Server> {
  const { replicas = 1, syncAlways = false } = options
  await using opened = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-capacity-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const profiles = new Map<string, number>()
  const onLine = (line: string, node: string): void => {
    const port = /profiling port: (\d+)/.exec(line)?.[1]
    if (port !== undefined) profiles.set(node, Number(port))
  }
  // Each takes a port that is free, and says which.
  const settings = { dataDir, maxStoreBytes: MAX_STORE, syncAlways, config: 'prof_port: -1' }
  const server =
    replicas === 1
      ? await startNats({ ...settings, onLine: (line) => onLine(line, '') })
      : await startNatsCluster({ ...settings, onLine })
  opened.use(server)
  const mesh = opened.use(await connectMesh({ servers: server.url, name: 'shop', replicas }))
  const jsm = await jetstreamManager(mesh.nats)
  const nodes = 'nodes' in server ? server.nodes.map(({ name }) => name) : ['']
  const pids = 'nodes' in server ? server.nodes.flatMap(({ pid }) => pid ?? []) : [server.pid]
  const all = opened.move()
  return {
    mesh,
    jsm,
    pids,
    nodes,
    heaps: () => Promise.all(nodes.map((node) => heapOf(profiles.get(node)!))),
    onDisk: () => Promise.all(nodes.map((node) => folderBytes(join(dataDir, node)))),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** Of Go's own profile; `gc=1` collects before. */
async function heapOf(port: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/debug/pprof/heap?gc=1&debug=1`)
  return Number(/^# HeapAlloc = (\d+)$/m.exec(await answer.text())![1])
}

/** Blocks that files take, as `du` counts them. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await stat(join(entry.parentPath, entry.name)).catch(() => ({ blocks: 0 }))).blocks * 512),
  )
  return sizes.reduce((sum, each) => sum + each, 0)
}
