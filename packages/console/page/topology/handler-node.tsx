import type { CSSProperties, JSX } from 'preact'
import type { TopologyView } from '../../src/api/schemas/topology.ts'
import { perSecond } from '../parts/rate.ts'
import { Text } from '../parts/text.tsx'
import { number } from '../parts/time.tsx'

type Handler = TopologyView['handlers'][number]

export const STATES: Readonly<Record<Handler['state'], string>> = {
  failing: 'failing',
  paused: 'paused',
  behind: 'behind',
  runs: 'runs',
}

/** What each state is shown by beside its colour. */
const MARKS: Readonly<Record<Handler['state'], string>> = { failing: '!', paused: 'Ⅱ', behind: '…', runs: '' }

export const handlerPath = ({ service, handler }: { service: string; handler: string }): string =>
  `/handlers/${encodeURIComponent(service)}/${encodeURIComponent(handler)}`

/** A handler in the picture; leads to its page. */
export function HandlerNode({
  handler,
  style,
  isSmall,
}: {
  handler: Handler
  style: CSSProperties
  isSmall: boolean
}): JSX.Element {
  const { state, reasons, letters, lag } = handler
  const mark = MARKS[state]
  return (
    <a
      class={`node handler ${state} ${isSmall ? 'small' : ''}`}
      style={style}
      href={handlerPath(handler)}
      title={reasons.join('; ') || undefined}
    >
      <span class="node-name">
        {mark && (
          <span class="mark" aria-hidden="true">
            {mark}
          </span>
        )}
        <strong>
          <Text>{handler.handler}</Text>
        </strong>
        <span class="unseen">
          {' '}
          of {handler.service}, {STATES[state]}
          {reasons.length > 0 && `: ${reasons.join('; ')}`}. Now:
        </span>
      </span>
      <span class="node-facts">
        {perSecond(handler.donePerSecond)}
        {(handler.failedPerSecond ?? 0) >= 0.05 && (
          <span class="bad"> · {perSecond(handler.failedPerSecond)} fail</span>
        )}
        {letters > 0 && <span class="bad"> · {number(letters)} dead</span>}
        {lag !== null && lag > 0 && <span> · {number(lag)} behind</span>}
      </span>
    </a>
  )
}
