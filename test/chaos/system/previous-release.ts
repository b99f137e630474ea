import { execFile } from 'node:child_process'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** A clone that processes run from. */
export type Release = { root: string; /** For people: a commit, or why there is none. */ name: string }

/**
 * The sources of the commit before this one, in `folder`, with the dependencies that are installed here. Where there is no
 * such commit, or it needs other dependencies, the release before is the one that is here.
 */
export async function previousRelease(folder: string): Promise<Release> {
  const here = (why: string): Release => ({ root: ROOT, name: `this one: ${why}` })
  const git = async (...args: string[]): Promise<string> => (await run('git', ['-C', ROOT, ...args])).stdout.trim()
  try {
    const commit = await git('rev-parse', '--short', 'HEAD~1')
    const changed = await git('diff', '--name-only', commit, 'HEAD', '--', 'pnpm-lock.yaml')
    if (changed !== '') return here(`${commit} needs other dependencies`)
    await mkdir(folder, { recursive: true })
    const archive = join(folder, '..', 'previous.tar')
    await git('archive', '--output', archive, commit, 'packages', 'package.json')
    await run('tar', ['-xf', archive, '-C', folder])
    await linkDependencies(folder)
    return { root: folder, name: commit }
  } catch (error) {
    return here(error instanceof Error ? error.message.split('\n')[0]! : String(error))
  }
}

/** pnpm links packages relative to where they stand, so that copies of the links find the packages beside them. */
async function linkDependencies(folder: string): Promise<void> {
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const { stdout } = await run('git', ['-C', ROOT, 'ls-files', 'packages/*/package.json'])
  for (const file of stdout.split('\n').filter(Boolean)) {
    const modules = join(file, '..', 'node_modules')
    const options = { recursive: true, verbatimSymlinks: true } as const
    await cp(join(ROOT, modules), join(folder, modules), options).catch(() => undefined)
  }
}
