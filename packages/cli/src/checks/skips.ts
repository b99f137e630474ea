import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestCase } from './steps.ts'
import { root } from './workspace.ts'

/** A test that may be skipped, by its full name, and why; `where` says on which machines, and elsewhere it runs. */
type AllowedSkip = { test: string; reason: string; where?: string }

const FILE = 'test/skips.json'

/**
 * What is wrong with the skipped tests, one line each: nobody may skip a test without a reason in test/skips.json, and
 * with `whole`, when every test ran, an entry whose test is not skipped any more has to go.
 */
export async function skipFaults(tests: readonly TestCase[], { whole }: { whole: boolean }): Promise<string[]> {
  const allowed = JSON.parse(await readFile(join(root, FILE), 'utf8')) as AllowedSkip[]
  const skipped = new Set(tests.filter(({ status }) => status === 'skipped').map(({ name }) => name))
  const unlisted = [...skipped].filter((name) => !allowed.some(({ test }) => test === name))
  const unreasoned = allowed.filter(({ reason }) => !reason?.trim())
  const stale = whole ? allowed.filter(({ test, where }) => where === undefined && !skipped.has(test)) : []
  return [
    ...unlisted.map((name) => `skipped without an entry in ${FILE}: ${name}`),
    ...unreasoned.map(({ test }) => `${FILE} gives no reason for: ${test}`),
    ...stale.map(({ test }) => `${FILE} lists a test that is not skipped: ${test}`),
  ]
}
