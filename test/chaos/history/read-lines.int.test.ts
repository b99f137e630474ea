import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readLines } from './read-lines.ts'

describe('reading a file line by line', () => {
  it('gives each line whole, wherever the chunks of reading end', () => {
    const folder = mkdtempSync(join(tmpdir(), 'malha-lines-'))
    try {
      const file = join(folder, 'lines')
      // Characters of several bytes, and lines longer than a chunk.
      const lines = Array.from({ length: 400 }, (_, n) => 'ção 😀 '.repeat(n === 200 ? 300_000 : (n * 37) % 1500))
      writeFileSync(file, lines.join('\n'))
      expect([...readLines(file)]).toEqual(lines)
      writeFileSync(file, `${lines.join('\n')}\n`)
      expect([...readLines(file)]).toEqual(lines)
      writeFileSync(file, '')
      expect([...readLines(file)]).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
