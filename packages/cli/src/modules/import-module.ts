import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CliError } from '../cli-error.ts'

/**
 * What a module of the user's exports: a path (TypeScript is fine), or a package as seen from this folder.
 * @throws CliError CLI_INVALID_OPTION
 */
export async function importModule(module: string): Promise<Readonly<Record<string, unknown>>> {
  const file = fileOf(module)
  try {
    return { ...((await import(pathToFileURL(file).href)) as object) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CliError('CLI_INVALID_OPTION', `${module} cannot be imported: ${why}`, { cause: error })
  }
}

function fileOf(module: string): string {
  const file = resolve(module)
  if (existsSync(file)) return file
  try {
    return createRequire(join(process.cwd(), 'here.js')).resolve(module)
  } catch (cause) {
    throw new CliError(
      'CLI_INVALID_OPTION',
      `${module} is no file, and no package that this folder (${process.cwd()}) can import`,
      { cause },
    )
  }
}
