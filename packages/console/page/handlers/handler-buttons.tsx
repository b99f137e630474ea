import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { HandlerView } from '../../src/api/schemas/handlers.ts'
import { refresh } from '../api/answers.ts'
import { act } from '../api/client.ts'
import { ActButton } from '../parts/act-button.tsx'
import { ReasonDialog } from '../parts/dialog.tsx'
import { queryOf } from '../parts/query.ts'
import { say } from '../parts/toast.tsx'

const MINUTE_MS = 60_000
const SPANS: readonly (readonly [label: string, ms: number | undefined])[] = [
  ['until somebody resumes it', undefined],
  ['for 15 minutes', 15 * MINUTE_MS],
  ['for an hour', 60 * MINUTE_MS],
  ['for 8 hours', 480 * MINUTE_MS],
]

/** Pauses and resumes a handler, in all its instances. */
export function HandlerButtons({ handler }: { handler: HandlerView }): JSX.Element {
  const [asking, setAsking] = useState<{ revision: number }>()
  const [span, setSpan] = useState(0)
  const path = `/handlers/${encodeURIComponent(handler.service)}/${encodeURIComponent(handler.handler)}`
  const name = `${handler.service}/${handler.handler}`
  const pause = async (reason: string): Promise<void> => {
    const forMs = SPANS[span]?.[1]
    await act(`${path}/pause`, { reason, revision: asking!.revision, ...(forMs !== undefined && { forMs }) })
    await refresh('/handlers')
    say(`${name} is paused, in all instances`)
  }
  const resume = async (): Promise<void> => {
    await act(`${path}/resume`, { revision: handler.revision })
    await refresh('/handlers')
    say(`${name} goes on`)
  }
  return (
    <div class="buttons">
      {handler.paused ? (
        <ActButton onAct={resume}>Resume</ActButton>
      ) : (
        <ActButton onAct={() => setAsking({ revision: handler.revision })}>Pause…</ActButton>
      )}
      <a
        class="button"
        href={`/replay${queryOf({ service: handler.service, handler: handler.handler })}`}
        aria-label={`Replay to ${name}`}
      >
        Replay…
      </a>
      {asking && (
        <ReasonDialog title={`Pause ${name}?`} action="Pause" onConfirm={pause} onClose={() => setAsking(undefined)}>
          <p>
            It starts nothing more, in all its instances; what runs ends as always. Its events wait in their stream.
          </p>
          <label>
            How long
            <select value={span} onChange={({ currentTarget }) => setSpan(Number(currentTarget.value))}>
              {SPANS.map(([label], at) => (
                <option key={label} value={at}>
                  {label}
                </option>
              ))}
            </select>
          </label>
        </ReasonDialog>
      )}
    </div>
  )
}
