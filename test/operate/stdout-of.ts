import { vi } from 'vitest'
import { createProgram } from '../../packages/cli/src/program.ts'

/** What a command writes to stdout, run in this process. */
export async function stdoutOf(argv: readonly string[]): Promise<string> {
  let text = ''
  using _stdout = vi.spyOn(process.stdout, 'write').mockImplementation((part) => ((text += String(part)), true))
  using _stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const program = await createProgram(argv)
  await program.parseAsync([...argv], { from: 'user' })
  // Some answer no; that is none of this process.
  process.exitCode = undefined
  return text
}
