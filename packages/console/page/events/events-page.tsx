import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import type { EventList, EventView } from '../../src/api/schemas/events.ts'
import { useAnswer } from '../api/answers.ts'
import { session } from '../api/session.ts'
import { Empty, Facts, Loading, Problem, Scroll, Section } from '../parts/panels.tsx'
import { FieldForm } from '../parts/field-form.tsx'
import { pick, queryOf } from '../parts/query.ts'
import { Text } from '../parts/text.tsx'
import { bytes, Time } from '../parts/time.tsx'
import { useTitle } from '../parts/title.ts'
import { SavedQueries } from './saved-queries.tsx'

const FILTERS = ['type', 'key', 'id', 'correlation', 'trace', 'stream', 'since', 'until'] as const

const LABELS: Readonly<Record<(typeof FILTERS)[number], string>> = {
  type: 'Type',
  key: 'Key',
  id: 'Event id',
  correlation: 'Correlation',
  trace: 'Trace',
  stream: 'Stream',
  since: 'Stored since',
  until: 'Stored before',
}

/** Every event there ever was, from the archive. */
export function EventsPage(): JSX.Element {
  const { query } = useLocation()
  const filter = pick(query, FILTERS)
  const { data, problem, isLoading } = useAnswer<EventList>(`/events${queryOf({ ...filter, limit: query['limit'] })}`)
  const opened = data?.events.find((event) => placeOf(event) === query['open'])
  useTitle('Events')
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Events</h1>
        <p class="lede">Every event there was, from the archive, newest first.</p>
        {session.value?.sendsEvents && (
          <a class="button" href="/send">
            Send an event…
          </a>
        )}
      </div>
      <FieldForm
        label="Filter events"
        path="/events"
        fields={FILTERS}
        labels={LABELS}
        values={filter}
        times={['since', 'until']}
      />
      <SavedQueries query={queryOf(filter)} />
      {problem && <Problem problem={problem} />}
      {problem && <p class="none">Dead letters, runs and handlers need no archive and go on without it.</p>}
      {!data && !problem && <Loading what="the archive" />}
      {opened && !problem && <EventDetails event={opened} />}
      {data && !problem && (
        <Section
          title="Found"
          aside={
            <span class="aside">
              <a class="button" href={`/api/events/export.csv${queryOf(filter)}`} download="events.csv">
                CSV
              </a>
              <a class="button" href={`/api/events/export.json${queryOf(filter)}`} download="events.json">
                JSON
              </a>
            </span>
          }
        >
          <div aria-busy={isLoading}>
            {data.events.length === 0 ? <Empty title="No event fits." /> : <EventTable events={data.events} />}
          </div>
          {data.isMore && (
            <nav class="pages" aria-label="More events">
              {/* Behind the last: events of one instant may be shown twice, and none is left out. */}
              <a href={`/events${queryOf({ ...filter, until: justBehind(data.events.at(-1)!.publishedAt) })}`}>Older</a>
            </nav>
          )}
        </Section>
      )}
    </>
  )
}

const placeOf = ({ stream, epoch, seq }: EventView): string => `${stream}/${epoch}/${seq}`

const justBehind = (at: string): string => new Date(Date.parse(at) + 1).toISOString()

function EventTable({ events }: { events: readonly EventView[] }): JSX.Element {
  const { query } = useLocation()
  return (
    <Scroll label="Events">
      <table>
        <caption class="unseen">Events of the archive</caption>
        <thead>
          <tr>
            <th scope="col">Stored</th>
            <th scope="col">Type</th>
            <th scope="col">Key</th>
            <th scope="col" class="wide">
              Stream
            </th>
            <th scope="col" class="wide right">
              Sequence
            </th>
            <th scope="col" class="grow">
              Payload
            </th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={placeOf(event)} class={placeOf(event) === query['open'] ? 'selected' : ''}>
              <td class="nowrap">
                <Time at={event.publishedAt} />
              </td>
              <td class="nowrap">
                <a data-row href={`/events${queryOf({ ...query, open: placeOf(event) })}`}>
                  <Text>{event.type || event.subject}</Text>
                </a>
              </td>
              <td class="clip">
                <Text>{event.key ?? ''}</Text>
              </td>
              <td class="wide clip">
                <Text>{event.stream}</Text>
              </td>
              <td class="wide right">{event.seq}</td>
              <td class="why">
                <code>
                  <Text>{(event.payload.text ?? event.payload.form).slice(0, 300).replaceAll(/\s+/g, ' ')}</Text>
                </code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function EventDetails({ event }: { event: EventView }): JSX.Element {
  const { query } = useLocation()
  const text = (value: string): JSX.Element | undefined => (value ? <Text>{value}</Text> : undefined)
  const lookUp = (name: 'correlation' | 'trace' | 'id', value: string): JSX.Element | undefined =>
    value ? <a href={`/events${queryOf({ [name]: value })}`}>{text(value)}</a> : undefined
  const jaeger = session.value?.jaegerUrl
  return (
    <Section
      title={`Event ${event.type}`}
      aside={
        <a class="button small" href={`/events${queryOf({ ...query, open: undefined })}`}>
          Close
        </a>
      }
    >
      <Facts
        of={[
          ['Event id', event.id && <a href={`/journey?of=${encodeURIComponent(event.id)}`}>{text(event.id)}</a>],
          ['Key', text(event.key ?? '')],
          ['Correlation', lookUp('correlation', event.correlationId)],
          ['Caused by', lookUp('id', event.causationId)],
          ['Trace', lookUp('trace', event.traceId)],
          [
            'Jaeger',
            jaeger && event.traceId && (
              <a href={`${jaeger}/trace/${event.traceId}`} rel="noreferrer" target="_blank">
                Open in Jaeger
              </a>
            ),
          ],
          ['Producer', text(event.producer)],
          ['Subject', text(event.subject)],
          ['Occurred', <Time at={event.occurredAt} />],
          ['Archived', <Time at={event.archivedAt} />],
          ['Letters', <a href={`/letters?id=${encodeURIComponent(event.id)}`}>dead letters of it</a>],
          ['Payload', `${bytes(event.payload.bytes)}${event.payload.isCut ? ', cut' : ''}`],
        ]}
      />
      <Scroll label="Payload">
        <pre>
          <Text lines>{event.payload.text ?? event.payload.form}</Text>
        </pre>
      </Scroll>
    </Section>
  )
}
