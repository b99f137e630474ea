import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { readDeployed } from './deployed.ts'

export type Deployed = {
  /** Jaeger, or a collector. */
  readonly bin: string
  /** Below `deploy`, in the order of `--config`. */
  readonly files: readonly string[]
  /** What the files say, and what is there instead on this machine: addresses and folders. Each is somewhere in them. */
  readonly swap: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Answers 200 once it is ready. */
  readonly readyUrl: string
}

/** Runs the files of a deployment on this machine. What it wrote is in `tail`. */
export async function startDeployed(deployed: Deployed): Promise<Child & AsyncDisposable> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-deployed-'))
  opening.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const unused = new Set(Object.keys(deployed.swap))
  const configs = deployed.files.map(async (path, at) => {
    let text = readDeployed(path)
    for (const [from, to] of Object.entries(deployed.swap)) {
      if (text.includes(from)) unused.delete(from)
      text = text.replaceAll(from, to)
    }
    const file = join(folder, `${at}.yaml`)
    await writeFile(file, text)
    return `--config=${file}`
  })
  const args = [...(await Promise.all(configs)), ...(deployed.args ?? [])]
  if (unused.size > 0) throw new Error(`none of ${deployed.files.join(', ')} has ${[...unused].join(', ')}`)
  const env = { ...process.env, OTEL_TRACES_SAMPLER: 'always_off', ...deployed.env }
  const child = spawnChild({ command: deployed.bin, args, env })
  opening.defer(async () => void (await child.stop()))
  await eventually(async () => child.exit !== undefined || (await isOk(deployed.readyUrl)), WITHIN)
  if (child.exit) throw new Error(`${deployed.bin} ended at once; it said:\n${child.tail.join('\n')}`)
  const all = opening.move()
  return Object.assign(child, { [Symbol.asyncDispose]: () => all.disposeAsync() })
}

const WITHIN = { timeoutMs: 60_000, intervalMs: 100 }

async function isOk(url: string): Promise<boolean> {
  const answer = await fetch(url)
  await answer.body?.cancel()
  return answer.ok
}
