import { details } from './details.ts'
import { duration, escape, html } from './html.ts'
import type { Html } from './html.ts'
import { msOf, waterfallRows } from './rows.ts'
import type { Row } from './rows.ts'
import type { Trace, TraceStore } from './store.ts'
import { STYLE } from './style.ts'

/** A trace as a waterfall. Whatever comes from a span is escaped; there is no script. */
export function tracePage(trace: Trace): string {
  const rows = waterfallRows(trace)
  const totalMs = Math.max(msOf(trace.endNano - trace.startNano), 0.001)
  const hues = huesOf(rows.map(({ service }) => service))
  const errors = rows.filter(({ failed }) => failed).length
  const root = rows[0]
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => html`<span>${duration(totalMs * share)}</span>`)
  return document(
    root ? `${root.service}: ${root.span.name}` : trace.id,
    html`<p class="back"><a href="/">All traces</a></p>
      <h1>${root?.service ?? ''} <span class="soft">${root?.span.name ?? ''}</span></h1>
      <p class="facts">
        <code>${trace.id}</code> <b>${duration(totalMs)}</b> ${rows.length} spans, ${hues.size} services,
        <span class="${errors > 0 ? 'bad' : ''}">${errors} ${errors === 1 ? 'error' : 'errors'}</span>, started
        ${timeOf(trace.startNano)}
      </p>
      <p class="legend">
        ${[...hues].map(([service, hue]) => html`<span style="--hue: ${hue}"><i></i>${service}</span>`)}
      </p>
      <section class="waterfall">
        <div class="scale"><span></span><span class="ticks">${ticks}</span></div>
        ${rows.map((row) => rowHtml(row, { totalMs, hue: hues.get(row.service) ?? 0 }))}
      </section>`,
  )
}

export function listPage(traces: readonly Trace[], stats: TraceStore['stats']): string {
  const dropped = stats.droppedTraces > 0 ? `, ${stats.droppedTraces} older ones dropped` : ''
  const lines = traces.map((trace) => {
    const rows = waterfallRows(trace)
    const services = new Set(rows.map(({ service }) => service))
    const errors = rows.filter(({ failed }) => failed).length
    return html`<tr>
      <td>${timeOf(trace.startNano)}</td>
      <td>
        <a href="/trace/${trace.id}">${rows[0]?.service ?? ''} <span class="soft">${rows[0]?.span.name ?? ''}</span></a>
      </td>
      <td class="number">${duration(msOf(trace.endNano - trace.startNano))}</td>
      <td class="number">${trace.spans.size}</td>
      <td class="number ${errors > 0 ? 'bad' : ''}">${errors}</td>
      <td class="soft">${[...services].join(', ')}</td>
    </tr>`
  })
  const table = html`<div class="wide">
    <table>
      <tr>
        <th>Started</th>
        <th>Trace</th>
        <th class="number">Took</th>
        <th class="number">Spans</th>
        <th class="number">Errors</th>
        <th>Services</th>
      </tr>
      ${lines}
    </table>
  </div>`
  return document(
    'Traces',
    html`<h1>Traces</h1>
      <p class="facts">The newest ${traces.length} of ${stats.traces}, ${stats.spans} spans in all${dropped}.</p>
      ${traces.length > 0 ? table : html`<p>None has come in yet.</p>`}`,
  )
}

export function missingPage(id: string): string {
  return document(
    'No such trace',
    html`<p class="back"><a href="/">All traces</a></p>
      <h1>No such trace</h1>
      <p>
        There is no trace <code>${id}</code> here. Its spans may not have come in yet, or it was dropped for newer ones.
      </p>`,
  )
}

function rowHtml(row: Row, { totalMs, hue }: { totalMs: number; hue: number }): Html {
  const left = Math.min((row.offsetMs / totalMs) * 100, 100)
  const width = Math.min((row.durationMs / totalMs) * 100, 100 - left)
  // The label stands where there is room: right of a bar in the left half, left of one that starts in the right half.
  const [side, at] = left > 60 ? ['right', 100 - left] : ['left', Math.min(left + width, 88)]
  return html`<details class="${row.failed ? 'failed' : ''}" style="--hue: ${hue}">
    <summary>
      <span class="name" style="padding-left: ${Math.min(row.depth, 24) * 0.9}rem">
        <i></i><b>${row.service}</b> ${row.span.name}${row.orphan ? html` <em>parent not seen</em>` : ''}
      </span>
      <span class="lane">
        <span class="bar" style="left: ${left.toFixed(3)}%; width: max(3px, ${width.toFixed(3)}%)"></span>
        <span class="label" style="${side}: calc(${at.toFixed(3)}% + 8px)">
          ${duration(row.durationMs)} <span class="soft">+${duration(row.offsetMs)}</span>
        </span>
      </span>
    </summary>
    ${details(row)}
  </details>`
}

const HUES = [212, 32, 160, 280, 90, 330, 190, 55, 250, 130]

function huesOf(services: readonly string[]): Map<string, number> {
  return new Map([...new Set(services)].map((service, i) => [service, HUES[i % HUES.length] ?? 0]))
}

function timeOf(nanos: bigint): string {
  return new Date(msOf(nanos)).toISOString().replace('T', ' ').replace('Z', ' UTC')
}

function document(title: string, body: Html): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head>
<body><main>${body.text}</main></body></html>
`
}
