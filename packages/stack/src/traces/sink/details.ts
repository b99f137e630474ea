import { duration, html } from './html.ts'
import type { Html } from './html.ts'
import type { Attribute } from './otlp.ts'
import { spanKinds, textOf } from './otlp.ts'
import { msOf } from './rows.ts'
import type { Row } from './rows.ts'

/** What a line of the waterfall shows when it is opened. */
export function details({ span, resource, scope }: Row): Html {
  const start = BigInt(span.startTimeUnixNano)
  const events = (span.events ?? []).map(
    (event) =>
      html`<h3>${event.name} <span class="soft">+${duration(msOf(BigInt(event.timeUnixNano) - start))}</span></h3>
        ${table(event.attributes)}`,
  )
  const links = (span.links ?? []).map(
    (link) =>
      html`<li>
        <a href="/trace/${link.traceId}"><code>${link.traceId}</code></a> span <code>${link.spanId}</code>
      </li>`,
  )
  return html`<div class="inside">
    ${span.status?.message ? html`<p class="bad">${span.status.message}</p>` : ''}
    <p class="soft">${spanKinds[span.kind ?? 0] ?? ''} span <code>${span.spanId}</code> ${scope.name ?? ''}</p>
    ${table(span.attributes)} ${events}
    ${
      links.length > 0
        ? html`<h3>Links</h3>
            <ul>
              ${links}
            </ul>`
        : ''
    }
    <h3>Process</h3>
    ${table(resource.attributes)}
  </div>`
}

function table(attributes: readonly Attribute[] = []): Html {
  const rows = attributes.map(
    ({ key, value }) =>
      html`<tr>
        <th>${key}</th>
        <td>${textOf(value)}</td>
      </tr>`,
  )
  return html`<div class="wide">
    <table>
      ${rows}
    </table>
  </div>`
}
