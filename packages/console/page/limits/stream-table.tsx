import type { JSX } from 'preact'
import type { StreamRow } from '../../src/api/schemas/streams.ts'
import { Badge, Scroll } from '../parts/panels.tsx'
import { perSecond } from '../parts/rate.ts'
import { Text } from '../parts/text.tsx'
import { bytes, durationOf, number } from '../parts/time.tsx'
import { Share } from './share.tsx'

const ALARMS = { size: 'nearly full', age: 'events age out', replicas: 'a replica is behind' } as const

/** Streams and what bounds them. */
export function StreamTable({ streams }: { streams: readonly StreamRow[] }): JSX.Element {
  return (
    <Scroll label="Streams">
      <table>
        <caption class="unseen">Streams and their limits</caption>
        <thead>
          <tr>
            <th scope="col">Stream</th>
            <th scope="col" class="right">
              Messages
            </th>
            <th scope="col">Size</th>
            <th scope="col" class="right">
              Stored
            </th>
            <th scope="col">Full in</th>
            <th scope="col">Keeps</th>
            <th scope="col">Unhandled leaves in</th>
            <th scope="col">Leader</th>
          </tr>
        </thead>
        <tbody>
          {streams.map((stream) => (
            <tr key={stream.name}>
              <td>
                <Text>{stream.name}</Text>
                {stream.alarms.map((alarm) => (
                  <p key={alarm}>
                    <Badge kind="failed">{ALARMS[alarm]}</Badge>
                  </p>
                ))}
              </td>
              <td class="right">{number(stream.messages)}</td>
              <td class="nowrap">
                {bytes(stream.bytes)} {stream.maxBytes === null ? 'of no limit' : `of ${bytes(stream.maxBytes)}`}
                {stream.used !== null && <Share used={stream.used} isBad={stream.alarms.includes('size')} />}
              </td>
              <td class="right">{perSecond(stream.storedPerSecond)}</td>
              <td>{fullIn(stream)}</td>
              <td>{stream.maxAgeMs === null ? 'for good' : durationOf(stream.maxAgeMs / 1000)}</td>
              <td>{stream.headroom ? <Leaves headroom={stream.headroom} /> : '–'}</td>
              <td>
                {stream.leader ?? '–'}
                {stream.laggards.length > 0 && <p class="hint">behind: {stream.laggards.join(', ')}</p>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

/** Then it refuses, or drops. */
function fullIn({ fullInMs, discard }: StreamRow): string {
  if (fullInMs === null) return '–'
  return `${durationOf(fullInMs / 1000)}, then it ${discard === 'new' ? 'refuses' : 'drops its oldest'}`
}

function Leaves({ headroom: { durable, leftMs } }: { headroom: NonNullable<StreamRow['headroom']> }): JSX.Element {
  return (
    <>
      {leftMs > 0 ? durationOf(leftMs / 1000) : 'now'}
      <p class="hint">
        <Text>{durable}</Text>
      </p>
    </>
  )
}
