#!/usr/bin/env node
import { inspect } from 'node:util'
import { createProgram } from './program.ts'

const argv = process.argv.slice(2)
try {
  const program = await createProgram(argv)
  await program.parseAsync(argv, { from: 'user' })
} catch (error) {
  process.stderr.write(`malha: ${explain(error)}\n`)
  process.exitCode = 1
}

/** An error with a code was foreseen and its message says what to do; any other is a fault of ours and keeps its stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // With its causes: "fetch failed" alone says nothing.
  return 'code' in error ? error.message : inspect(error)
}
