export type Pairs = readonly (readonly [name: string, value: string])[]

const decoder = new TextDecoder()

/**
 * What a header block says, read as simply as can be: every line with a colon behind the first line. A name the client
 * would refuse, or a value with half a line end, and there are no headers at all.
 */
export function referencePairs(block: Uint8Array): Pairs {
  const pairs: [string, string][] = []
  for (const line of decoder.decode(block).split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    if (colon === -1) continue
    const name = line.slice(0, colon)
    for (const char of name) if (char <= ' ' || char === ':' || char >= '\u007F') return []
    const value = line.slice(colon + 1).trim()
    if (value.includes('\r') || value.includes('\n')) return []
    pairs.push([name, value])
  }
  return pairs
}

/** By name in lower case, the first value of each. */
export function firstOfEach(pairs: Pairs): Map<string, string> {
  const first = new Map<string, string>()
  for (const [name, value] of pairs) if (!first.has(name.toLowerCase())) first.set(name.toLowerCase(), value)
  return first
}
