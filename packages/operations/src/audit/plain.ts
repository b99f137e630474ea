import { createHash } from 'node:crypto'
import type { Plain } from './entry.ts'

const LONGEST_TEXT = 1000
const LONGEST_STATE = 16 * 1024
const HIDDEN = '[hidden]'

/** Names whose values are nobody's business, in any spelling. */
const SECRET = /passw|secret|token|credential|authori[sz]ation|api-?_?key|private-?_?key|cookie|nkey|seed|jwt|webhook/i

/**
 * A state as an entry may show it: values under names of secrets and passwords in URLs are hidden, and what is very long is named by
 * its size and digest.
 */
export function shownState(state: Plain): Plain {
  const shown = withoutSecrets(state)
  const text = JSON.stringify(shown)
  if (text.length <= LONGEST_STATE) return shown
  return { bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') }
}

/** A sentence as an entry may show it. */
export function shownText(text: string): string {
  const safe = text.toWellFormed().replaceAll(USERINFO, `$1${HIDDEN}@`)
  return safe.length > LONGEST_TEXT ? `${safe.slice(0, LONGEST_TEXT).toWellFormed()}…` : safe
}

/** `//user:password@` of a URL. */
const USERINFO = /(\/\/)[^\s/@]+@/g

function withoutSecrets(value: Plain): Plain {
  if (typeof value === 'string') return shownText(value)
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value as { readonly [name: string]: Plain | undefined })
  return Object.fromEntries(
    members.flatMap(([name, one]): [string, Plain][] =>
      one === undefined ? [] : [[name.toWellFormed(), SECRET.test(name) ? HIDDEN : withoutSecrets(one)]],
    ),
  )
}
