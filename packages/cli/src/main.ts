#!/usr/bin/env node
import { inspect } from 'node:util'
import { createProgram } from './program.ts'
import { visible } from './view/visible.ts'

const argv = process.argv.slice(2)
try {
  const program = await createProgram(argv)
  await program.parseAsync(argv, { from: 'user' })
} catch (error) {
  // Names of types and the like in it may be anybody's.
  process.stderr.write(`malha: ${visible(explain(error), { lines: true })}\n`)
  process.exitCode = 1
}

/** An error with a code was foreseen and its message says what to do; any other is a fault of ours and keeps its stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // With its causes: "fetch failed" alone says nothing.
  return 'code' in error ? error.message : inspect(error)
}
