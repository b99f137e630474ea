import { execFile } from 'node:child_process'
import { cp, glob, mkdir, readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, delimiter, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { root } from './compose-file.ts'
import { dockerfilePath } from './dockerfile.ts'

const run = promisify(execFile)

type Ignore = { add(text: string): Ignore; ignores(path: string): boolean }
// It is CommonJS with a default export of types alone.
const dockerignore = createRequire(import.meta.url)('@balena/dockerignore') as () => Ignore

/** Copies to `to` what a container engine would be sent to build with, by the same ignore file. */
export async function copyContext(to: string): Promise<void> {
  const ignore = dockerignore().add(await readFile(`${dockerfilePath}.dockerignore`, 'utf8'))
  const never = new Set(['node_modules', '.git', '.malha'])
  const isTaken = async (source: string): Promise<boolean> => {
    const path = relative(root, source)
    if (never.has(basename(path))) return false
    return path === '' || (await stat(source)).isDirectory() || !ignore.ignores(path)
  }
  await mkdir(to, { recursive: true })
  await cp(root, to, { recursive: true, filter: isTaken })
}

/** Puts a target together in `to`, out of what `copyContext` copied, as the Dockerfile does. */
export async function assemble(context: string, target: string, to: string): Promise<void> {
  // Where nobody has installed pnpm, `./malha` says where its own is.
  const pnpmFolder = process.env['MALHA_PNPM'] ? [dirname(process.env['MALHA_PNPM'])] : []
  const env = {
    ...process.env,
    PATH: [dirname(process.execPath), ...pnpmFolder, process.env['PATH']].join(delimiter),
    // What was installed for this repository is in the store.
    pnpm_config_offline: 'true',
    pnpm_config_pm_on_fail: 'ignore',
  }
  // By itself pnpm takes the store of the disk on which it installs.
  const { stdout: store } = await run('pnpm', ['store', 'path'], { cwd: root, env })
  const withStore = { ...env, pnpm_config_store_dir: store.trim() }
  await run(join(context, 'deploy/images/assemble.sh'), [target, to], { env: withStore })
}

/** What a folder holds: paths of its files, and their bytes together. */
export async function contentOf(folder: string): Promise<{ paths: string[]; bytes: number }> {
  const paths: string[] = []
  let bytes = 0
  for await (const entry of glob('**/*', { cwd: folder, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    paths.push(relative(folder, path))
    bytes += (await stat(path)).size
  }
  return { paths, bytes }
}

/** `name@version` of every package whose files are there. */
export async function installedIn(folder: string): Promise<string[]> {
  const ours = '{deploy,packages/*,packages/services/*}/package.json'
  const places = ['node_modules/.pnpm/*/node_modules/{*,@*/*}/package.json', ours]
  const found = new Set<string>()
  for await (const entry of glob(places, { cwd: folder })) {
    const { name, version = '0.0.0' } = JSON.parse(await readFile(join(folder, entry), 'utf8')) as Record<
      string,
      string
    >
    // One writes its own with a v in front, which registries leave out.
    if (name) found.add(`${name}@${version.replace(/^v/, '')}`)
  }
  return [...found].toSorted()
}

type Component = { group?: string; name: string; version: string }

/** `name@version` of every package that the list of parts names, the program itself among them. */
export async function listedIn(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'sbom.cdx.json'), 'utf8')
  const { components, metadata } = JSON.parse(text) as { components: Component[]; metadata: { component: Component } }
  const names = [...components, metadata.component].map(
    ({ group, name, version }) => `${group === undefined ? '' : `${group}/`}${name}@${version}`,
  )
  return [...new Set(names)].toSorted()
}
