import { compareSchemas } from './compare-schemas.ts'
import type { Finding, Words } from './place.ts'
import type { ContractSnapshot } from './snapshot.ts'

const WORDS: Record<'backward' | 'forward', Words> = {
  backward: { writer: 'an older answer', reader: 'the new contract' },
  forward: { writer: 'a newer answer', reader: 'the old contract' },
}

/** Whether requesters of one release understand what responders of the other answer. The version does not speak of answers. */
export function compareAnswers(
  { answers: from }: ContractSnapshot,
  { answers: to }: ContractSnapshot,
  direction: 'backward' | 'forward',
): Finding[] {
  if (!from || !to) return []
  const words = WORDS[direction]
  const within = (what: string, found: readonly Finding[]): Finding[] =>
    found.map(({ path, what: why }) => ({ path: path === '' ? what : `${what}: ${path}`, what: why }))
  const found = within('reply', compareSchemas(from.reply, to.reply, words))
  for (const [code, schema] of Object.entries(from.errors)) {
    const known = to.errors[code]
    const what = `error ${code}`
    if (known === undefined)
      found.push({ path: what, what: `${words.writer} may be it, ${words.reader} does not name it` })
    else found.push(...within(what, compareSchemas(schema, known, words)))
  }
  if (from.streaming !== to.streaming)
    found.push({ path: '', what: 'one release answers once, the other with a stream; give it another type' })
  return found
}
