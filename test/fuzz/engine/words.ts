import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const encoder = new TextEncoder()

/** The short texts in some sources, which is what they compare inputs with. */
export async function wordsIn(files: readonly string[], more: readonly string[] = []): Promise<Uint8Array[]> {
  const words = new Set(more)
  for (const file of files)
    for (const [, word] of (await readFile(`${root}/${file}`, 'utf8')).matchAll(/'([^'\\\n]{1,40})'/g))
      if (word !== undefined && !word.startsWith('.') && !word.startsWith('node:')) words.add(word)
  return [...words].map((word) => encoder.encode(word))
}
