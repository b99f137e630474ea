import { type AnyContract, type AnyRequest, isDeclared, isObject } from '@malha/mesh'
import { CliError } from '../cli-error.ts'
import { importModule } from '../modules/import-module.ts'

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
  look(await importModule(module), 3)
  if (found.size === 0)
    throw new CliError('CLI_INVALID_OPTION', `${module} exports no contract: no event(…), command(…) or request(…)`)
  return [...found]
}
