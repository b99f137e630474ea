import { type AnyContract, keyToken } from '@malha/mesh'
import { PatternsError } from '../errors.ts'
import type { Sent } from './record.ts'

/**
 * Checks what a step sends before the saga's record says that it was sent: what can never be published must not be in it.
 * @throws PatternsError PATTERNS_INVALID_STEP naming each faulty path, never a value
 */
export async function checkSends(
  what: string,
  sends: readonly Sent[],
  contractOf: (type: string) => AnyContract,
): Promise<void> {
  for (const { type, data } of sends) {
    const contract = contractOf(type)
    const result = await contract.schema['~standard'].validate(data)
    if (result.issues) {
      const faults = result.issues.slice(0, 20).map(({ path, message }) => `\n  - ${pathOf(path)}: ${message}`)
      throw new PatternsError(
        'PATTERNS_INVALID_STEP',
        `${what} sends ${type}, which does not fit its schema:${faults.join('')}`,
      )
    }
    try {
      if (contract.key) keyToken(contract.key(result.value))
    } catch (cause) {
      throw new PatternsError('PATTERNS_INVALID_STEP', `${what} sends ${type} under a key that cannot be`, { cause })
    }
  }
}

function pathOf(path: readonly (PropertyKey | { readonly key: PropertyKey })[] = []): string {
  return path.map((part) => String(typeof part === 'object' ? part.key : part).slice(0, 64)).join('.') || '(all of it)'
}
