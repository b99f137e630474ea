import { createHash } from 'node:crypto'
import type { AnyContract } from '../message/contract.ts'

/**
 * A contract's key in words, e.g. `{centerId}-{system}`, found by asking its function with stand-ins for data.
 * Where it does more with them than put them together: `computed` and a hash of the function's text, which says that it
 * changed, but not whether what it calls did. Undefined without a key.
 */
export function describeKey({ key }: AnyContract): string | undefined {
  if (!key) return undefined
  const computed = `computed (${hashOf(key)})`
  try {
    const described: unknown = key(standIn(''))
    const text = typeof described === 'function' ? String(described) : described
    return typeof text === 'string' && /\{.+\}/.test(text) ? text : computed
  } catch {
    return computed
  }
}

/** Data of which every property is a stand-in, and whose text is its path. */
function standIn(path: string): never {
  const text = (): string => `{${path}}`
  return new Proxy(text, {
    get(_target, name) {
      if (name === Symbol.toPrimitive || name === 'toString') return text
      if (typeof name === 'symbol') throw new TypeError('not a plain property')
      return standIn(path === '' ? name : `${path}.${name}`)
    },
    apply() {
      throw new TypeError('more than put together')
    },
  }) as never
}

/** However it is laid out. */
function hashOf(key: (data: never) => string): string {
  const text = String(key)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([^\w$ ]) ?/g, '$1')
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
