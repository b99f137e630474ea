import type { StreamView } from '@malha/operations'
import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { showBytes } from './bytes.ts'
import { showAge } from './duration.ts'
import type { Screen } from './print.ts'
import { tableStyle } from './table-style.ts'
import { plural } from './text.ts'
import { visible } from './visible.ts'

const HEAD = ['stream', 'kind', 'messages', 'size', 'oldest', 'newest', 'kept', 'replicas', 'consumers', 'headroom']

/** One row a stream, what is near its limit in red; then each alarm in a sentence. */
export function drawStreams(streams: readonly StreamView[], { colors }: Screen, nowMs: number): string {
  if (streams.length === 0) return 'No streams: no service of this mesh has started here.'
  const pc = createColors(colors)
  const red = (isAlarm: boolean, text: string): string => (isAlarm ? pc.red(text) : text)
  const table = new Table({ ...tableStyle(colors), head: HEAD })
  const ago = (at: string | undefined): string => (at === undefined ? '' : showAge(Math.max(0, nowMs - Date.parse(at))))
  for (const each of streams) {
    const { alarms, headroom, maxAgeMs } = each
    table.push([
      visible(each.name),
      each.kind,
      String(each.messages),
      red(alarms.includes('size'), sizeOf(each)),
      ago(each.oldestAt),
      ago(each.newestAt),
      maxAgeMs === undefined ? '' : showAge(maxAgeMs),
      red(alarms.includes('replicas'), replicasOf(each)),
      String(each.consumers),
      headroom ? red(alarms.includes('age'), showAge(Math.max(0, headroom.leftMs))) : '',
    ])
  }
  const told = streams.flatMap((each) => alarmsOf(each).map((text) => pc.red(text)))
  return [table.toString(), ...told].join('\n')
}

function sizeOf({ bytes, maxBytes, used }: StreamView): string {
  if (maxBytes === undefined || used === undefined) return showBytes(bytes)
  return `${showBytes(bytes)} of ${showBytes(maxBytes)} (${Math.round(used * 100)} %)`
}

function replicasOf({ replicas, leader, laggards }: StreamView): string {
  const late = laggards.length > 0 ? `, ${laggards.length} late` : ''
  return `${replicas}${leader === undefined ? '' : ` (${visible(leader)})`}${late}`
}

function alarmsOf({ name, alarms, headroom, used, laggards, leader }: StreamView): string[] {
  const texts = {
    size: `${name} is ${Math.round((used ?? 0) * 100)} % full: at 100 % what is published is refused (MESH_STREAM_FULL)`,
    age: headroom
      ? `${name}: ${headroom.durable} is not past sequence ${headroom.seq}, which leaves the stream at ${headroom.leavesAt}`
      : '',
    replicas:
      leader === undefined
        ? `${name} has no leader: nothing is stored or delivered`
        : `${name}: ${plural(laggards.length, 'replica')} away or behind (${laggards.join(', ')})`,
  }
  return alarms.map((alarm) => visible(texts[alarm]))
}
