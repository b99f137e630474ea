import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where programs that were fetched once are kept: `MALHA_CACHE`, else `malha` in the user's cache folder. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env['MALHA_CACHE']) return env['MALHA_CACHE']
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'malha')
}

/**
 * The folder `name` of the cache, made by `build` when it is missing. `build` works in a folder beside it that is then
 * renamed, so that nobody ever sees half of it; of two processes at once the first to finish wins, and both are right.
 */
export async function cachedFolder(
  cache: string,
  name: string,
  build: (dir: string) => Promise<void>,
): Promise<string> {
  const final = join(cache, name)
  if (await exists(final)) return final
  await mkdir(cache, { recursive: true })
  const dir = await mkdtemp(join(cache, `.${name}-`))
  try {
    await build(dir)
    await rename(dir, final).catch(async (error: unknown) => {
      if (!(await exists(final))) throw error
    })
    return final
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
