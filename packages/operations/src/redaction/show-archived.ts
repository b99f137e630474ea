import type { ArchivedEvent } from '@malha/archive'
import type { Sensitivity } from './sensitivity.ts'

/** An event of the archive to show: without what its contract marks as sensitive. */
export type ShownEvent = ArchivedEvent & {
  /** How many values of the payload are hidden. */
  readonly hidden: number
  /** Why all of the payload is; null where it is not. */
  readonly withheld: string | null
}

/** The event as it may be shown. */
export function showArchived(sensitivity: Sensitivity, event: ArchivedEvent): ShownEvent {
  const { type, subject, payloadBase64 } = event
  const payload = Buffer.from(payloadBase64, 'base64')
  const shown = sensitivity.show({ type: type || undefined, subject, payload })
  if (shown.payload === payload) return { ...event, hidden: 0, withheld: null }
  const bytes = Buffer.from(shown.payload)
  const isWithheld = shown.withheld !== undefined
  return {
    ...event,
    payload: isWithheld ? undefined : bytes.toString(),
    payloadBase64: bytes.toString('base64'),
    hidden: shown.hidden,
    withheld: shown.withheld ?? null,
  }
}
