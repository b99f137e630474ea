import { wantsColors } from './say.ts'

/** What there is to draw on. */
export type Screen = { width: number; colors: boolean }

export const screen = (): Screen => ({ width: process.stdout.columns ?? 120, colors: wantsColors(process.stdout) })

/** The result of a command, on stdout. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
