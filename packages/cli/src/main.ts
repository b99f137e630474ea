#!/usr/bin/env node
import { explain } from './explain.ts'
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
