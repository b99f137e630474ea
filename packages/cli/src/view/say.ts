import type { WriteStream } from 'node:tty'
import { createColors } from 'picocolors'

/** Colours are for terminals, unless the user said no (no-color.org). */
export function wantsColors(out: WriteStream): boolean {
  return out.isTTY ? !process.env['NO_COLOR'] : false
}

const pc = createColors(wantsColors(process.stderr))

/** One sentence for a person, on stderr: stdout belongs to results. */
export function say(sentence: string): void {
  process.stderr.write(`${pc.dim('malha:')} ${sentence}\n`)
}

/** Shows the lines of processes with their name before them, if asked to. */
export function echoTo(verbose: true | undefined): (name: string, line: string) => void {
  if (!verbose) return () => {}
  return (name, line) => process.stderr.write(`${pc.dim(`${name} |`)} ${line}\n`)
}
