import type { Difference } from '@malha/deployment'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { plural } from './text.ts'
import { visible } from './visible.ts'

const DONE: Readonly<Record<Difference['how'], string>> = {
  missing: 'made',
  changed: 'changed',
  'left over': 'removed',
}

/** A line for each file that differs, or was written. */
export function drawDifferences(
  found: readonly Difference[],
  { count, to, check }: { count: number; to: string; check?: true | undefined },
  { colors }: Screen,
): string {
  const pc = createColors(colors)
  const lines = found.map(({ path, how }) => `${check ? how : DONE[how]}  ${visible(path)}`)
  const place = visible(to)
  const all = plural(count, 'file')
  if (found.length === 0) return pc.green(`${all} in ${place}, as they should be.`)
  if (!check) return [...lines, pc.green(`${all} in ${place}.`)].join('\n')
  return [...lines, pc.red(`${plural(found.length, 'file')} of ${place} to be made again; malha deploy generate`)].join(
    '\n',
  )
}
