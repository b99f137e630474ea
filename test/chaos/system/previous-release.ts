import { execFile } from 'node:child_process'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** A clone that processes run from. */
export type Release = {
  root: string
  /** For people: a commit, or why there is none. */
  name: string
}

/** The clone that this file is of. */
export const thisRelease = (name: string): Release => ({ root: ROOT, name })

const git = async (...args: string[]): Promise<string> => (await run('git', ['-C', ROOT, ...args])).stdout.trim()

/** Where packages are, and what pnpm needs to install them. */
const PARTS = ['packages', 'test', 'deploy', 'package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml']

/**
 * The sources of the commit before this one, in `folder`, with the dependencies that are installed here. Where there is no
 * such commit, or it needs other dependencies, the release before is the one that is here.
 */
export async function previousRelease(folder: string): Promise<Release> {
  try {
    return await releaseOf('HEAD~1', folder)
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0]! : String(error)
    return thisRelease(`this one: ${why}`)
  }
}

/**
 * The sources of a revision in `folder`, with its dependencies: those that are installed here where it needs the same ones,
 * else as pnpm installs them from its store.
 * @throws Error when git knows no such revision, or its dependencies cannot be had
 */
export async function releaseOf(revision: string, folder: string): Promise<Release> {
  const commit = await git('rev-parse', '--short', `${revision}^{commit}`)
  const changed = await git('diff', '--name-only', commit, '--', 'pnpm-lock.yaml')
  await mkdir(folder, { recursive: true })
  const archive = `${folder}.tar`
  await git('archive', '--output', archive, commit, ...PARTS)
  await run('tar', ['-xf', archive, '-C', folder])
  if (changed === '') await linkDependencies(folder)
  else await install(folder, commit)
  return { root: folder, name: commit }
}

/** The sources as they are here, in `folder`, to be changed there. */
export async function copyOfThis(folder: string, name: string): Promise<Release> {
  await mkdir(folder, { recursive: true })
  const files = (await git('ls-files', '--cached', '--others', '--exclude-standard', '--', 'packages', 'test'))
    .split('\n')
    .filter(Boolean)
  for (const file of [...files, 'package.json'])
    await cp(join(ROOT, file), join(folder, file), { recursive: true }).catch(ignoreDeleted)
  await linkDependencies(folder)
  return { root: folder, name }
}

function ignoreDeleted(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

async function install(folder: string, commit: string): Promise<void> {
  const args = ['install', '--frozen-lockfile', '--prefer-offline', '--prod', '--ignore-scripts']
  await run('pnpm', args, { cwd: folder }).catch((error: unknown) => {
    throw new Error(`${commit} needs other dependencies, and pnpm could not install them`, { cause: error })
  })
}

/** pnpm links packages relative to where they stand, so that copies of the links find the packages beside them. */
async function linkDependencies(folder: string): Promise<void> {
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const listed = await git('ls-files', 'packages/*/package.json', 'test/package.json', 'deploy/package.json')
  for (const file of listed.split('\n').filter(Boolean)) {
    const modules = join(file, '..', 'node_modules')
    const options = { recursive: true, verbatimSymlinks: true } as const
    await cp(join(ROOT, modules), join(folder, modules), options).catch(() => undefined)
  }
}
