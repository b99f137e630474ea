import type { JSX } from 'preact'
import type { HandlerView } from '../../src/api/schemas/handlers.ts'
import { Badge } from '../parts/panels.tsx'
import { Text } from '../parts/text.tsx'
import { plural, Time } from '../parts/time.tsx'

/** The one thing to know of it first. */
export function HandlerState({ handler }: { handler: HandlerView }): JSX.Element {
  const { paused, breaker, instances, fault } = handler
  const leaked = instances.reduce((sum, one) => sum + one.leaked, 0)
  if (paused)
    return (
      <>
        <Badge kind="paused">paused</Badge>
        <p class="hint">
          by <Text>{paused.who}</Text>
          {paused.until && (
            <>
              {' '}
              until <Time at={paused.until} />
            </>
          )}
          : <Text>{paused.reason}</Text>
        </p>
      </>
    )
  if (instances.length === 0) return <Badge kind="failed">nobody runs it</Badge>
  if (breaker && breaker.state !== 'closed')
    return (
      <>
        <Badge kind="open">breaker {breaker.state}</Badge>
        <p class="hint">
          since <Time at={breaker.since} />
          {breaker.probeAt && (
            <>
              , tries one at <Time at={breaker.probeAt} />
            </>
          )}
        </p>
      </>
    )
  if (fault) return <Badge kind="failed">fault</Badge>
  if (leaked > 0) return <Badge kind="failed">{plural(leaked, 'slot')} leaked</Badge>
  if (handler.state === 'failing')
    return (
      <>
        <Badge kind="failed">failing</Badge>
        <p class="hint">
          <Text>{handler.reasons.join('; ')}</Text>
        </p>
      </>
    )
  return <Badge kind={handler.state === 'behind' ? 'running' : 'ok'}>{handler.state}</Badge>
}
