import type { JSX } from 'preact'
import { session } from '../api/session.ts'

/** To a trace where people look at traces; nothing where no such place is known. */
export function TraceLink({ traceId }: { traceId: string }): JSX.Element | null {
  const { jaegerUrl = null, tracesUrl = null } = session.value ?? {}
  const base = jaegerUrl ?? tracesUrl
  if (base === null) return null
  return (
    <a href={`${base}/trace/${encodeURIComponent(traceId)}`} rel="noreferrer" target="_blank">
      {jaegerUrl === null ? 'Open the trace' : 'Open in Jaeger'}
    </a>
  )
}
