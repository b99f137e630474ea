import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const fileOf = (target: string): string => fileURLToPath(new URL(`../corpus/${target}.txt`, import.meta.url))

/** Inputs of earlier runs, one a line in base64. */
export async function readCorpus(target: string): Promise<Uint8Array[]> {
  const text = await readFile(fileOf(target), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => new Uint8Array(Buffer.from(line, 'base64')))
}

const MOST_INPUTS = 400
const MOST_BYTES = 512

/** Keeps the small ones. */
export async function writeCorpus(target: string, inputs: readonly Uint8Array[]): Promise<void> {
  const lines = inputs
    .filter(({ length }) => length > 0 && length <= MOST_BYTES)
    .slice(0, MOST_INPUTS)
    .map((input) => Buffer.from(input).toString('base64'))
  await writeFile(fileOf(target), lines.map((line) => `${line}\n`).join(''))
}
