import type { ProvisionReport } from '@malha/deployment'
import { createColors } from 'picocolors'
import type { Screen } from './print.ts'
import { plural } from './text.ts'
import { visible } from './visible.ts'

/** A line for each stream and durable that was not as it is now. */
export function drawProvisioned({ streams, durables }: ProvisionReport, { colors }: Screen): string {
  const pc = createColors(colors)
  const changes = [
    ...streams.map(({ name, action }) => ({ what: `stream ${visible(name)}`, action })),
    ...durables.map(({ stream, name, action }) => ({ what: `durable ${visible(name)} on ${visible(stream)}`, action })),
  ].filter(({ action }) => action !== 'unchanged')
  const all = pc.green(`${plural(streams.length, 'stream')} and ${plural(durables.length, 'durable')} are there.`)
  return [...changes.map(({ what, action }) => `${action}  ${what}`), all].join('\n')
}
