import type { Manifest } from '@malha/operations'
import { showBytes } from './bytes.ts'
import type { Screen } from './print.ts'
import { tableOf } from './table.ts'
import { visible } from './visible.ts'

const HEAD = ['stream', 'kind', 'messages', 'first', 'last', 'durables', 'size']

/** A row a stream, then from when it is. */
export function drawBackup({ streams, beganAt, endedAt }: Manifest, screen: Screen): string {
  const rows = streams.map(({ name, kind, messages, firstSeq, lastSeq, durables, bytes }) => [
    visible(name),
    visible(kind),
    ...[messages, firstSeq, lastSeq, durables.length].map(String),
    showBytes(bytes),
  ])
  return `${tableOf(HEAD, rows, screen)}\nCopied from ${beganAt} to ${endedAt}.`
}
