import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type AnyContract, type AnyRequest, isDeclared, isObject } from '@malha/mesh'
import { CliError } from '../cli-error.ts'

/**
 * All contracts that a module exports, each once: a path (TypeScript is fine), or a package as seen from this folder. Lists
 * and objects of contracts count too.
 * @throws CliError CLI_INVALID_OPTION
 */
export async function loadContracts(module: string): Promise<(AnyContract | AnyRequest)[]> {
  const found = new Set<AnyContract | AnyRequest>()
  const look = (value: unknown, depth: number): void => {
    if (isDeclared(value, 'event', 'command', 'request')) found.add(value as AnyContract | AnyRequest)
    else if (depth > 0 && (Array.isArray(value) || isObject(value)))
      for (const inner of Object.values(value)) look(inner, depth - 1)
  }
  look({ ...(await imported(module)) }, 3)
  if (found.size === 0)
    throw new CliError('CLI_INVALID_OPTION', `${module} exports no contract: no event(…), command(…) or request(…)`)
  return [...found]
}

async function imported(module: string): Promise<object> {
  try {
    return (await import(pathToFileURL(fileOf(module)).href)) as object
  } catch (error) {
    if (error instanceof CliError) throw error
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
