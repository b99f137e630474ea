import { homedir } from 'node:os'
import { join } from 'node:path'

/** What can be fetched or made again is kept here; the wrapper says it the same way. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return env['MALHA_CACHE'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'malha')
}
