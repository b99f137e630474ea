import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type AnyContract, isDeclared } from '@malha/mesh'
import { CliError } from '../cli-error.ts'

/** The contracts that a module exports. @throws CliError CLI_INVALID_OPTION */
export async function loadContracts(file: string): Promise<AnyContract[]> {
  const exported = (await import(pathToFileURL(resolve(file)).href).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CliError(
      'CLI_INVALID_OPTION',
      `${file} cannot be loaded: ${why}; --contracts takes a module of contracts`,
    )
  })) as Record<string, unknown>
  const contracts = Object.values(exported).filter((one): one is AnyContract => isDeclared(one, 'event', 'command'))
  if (contracts.length === 0) throw new CliError('CLI_INVALID_OPTION', `${file} exports no event(…) and no command(…)`)
  return contracts
}
