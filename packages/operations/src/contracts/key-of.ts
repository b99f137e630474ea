import { isObject } from '@malha/mesh'
import type { KnownContract } from './known-contract.ts'

/** The key of data, or why there is none. */
export type KeyOf = { key: string | undefined; fault?: undefined } | { key?: undefined; fault: string }

/**
 * The key that the contract computes where its words say how (`{centerId}-{system}`); otherwise the one that is given. It
 * has the payload alone: a schema that changes what the key is made of is not seen. Pure.
 */
export function keyOf({ type, key: words }: Pick<KnownContract, 'type' | 'key'>, data: unknown, given?: string): KeyOf {
  if (words === null) return given === undefined ? { key: undefined } : { fault: `${type} has no key; leave it out` }
  const isComputed = words.startsWith('computed')
  const missing: string[] = []
  const filled = words.replaceAll(/\{([^}]+)\}/g, (_whole, path: string) => {
    const value = at(data, path)
    if (typeof value === 'string' || typeof value === 'number') return String(value)
    missing.push(path)
    return ''
  })
  if (isComputed || missing.length > 0) {
    if (given !== undefined) return { key: given }
    return {
      fault: isComputed
        ? `the key of ${type} is computed by code; say it`
        : `the key of ${type} is ${words}, and the payload has no ${missing.join(', ')}; say the key`,
    }
  }
  if (given !== undefined && given !== filled)
    return { fault: `the key of this ${type} is ${JSON.stringify(filled)} by its contract, and another one was given` }
  return { key: filled }
}

function at(data: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), data)
}
