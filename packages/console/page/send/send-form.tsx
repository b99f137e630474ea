import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { ContractView, SentEvent } from '../../src/api/schemas/contracts.ts'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { act, problemOf } from '../api/client.ts'
import { ActButton } from '../parts/act-button.tsx'
import { PayloadRefused } from '../parts/faults.tsx'
import { Facts, Section } from '../parts/panels.tsx'
import { queryOf } from '../parts/query.ts'
import { Text } from '../parts/text.tsx'
import { Time } from '../parts/time.tsx'
import { MoreFields, optionsIn } from './more-fields.tsx'
import { firstOf, isSchema, readJson, type Schema } from './schema.ts'
import { SchemaField } from './schema-field.tsx'

type Outcome = { sent?: SentEvent; checked?: SentEvent; problem?: ProblemView }

/** The payload in fields of its schema, or as JSON; and what became of it. */
export function SendForm({ contract }: { contract: ContractView }): JSX.Element {
  const { query, route } = useLocation()
  const schema: Schema = isSchema(contract.schema) ? contract.schema : {}
  const [data, setData] = useState<unknown>(() => firstOf(schema, schema))
  const [text, setText] = useState<string>()
  const [outcome, setOutcome] = useState<Outcome>({})
  const form = useRef<HTMLFormElement>(null)
  const isJson = query['as'] === 'json'
  const shown = text ?? JSON.stringify(data ?? null, null, 2)
  const turn = (as: 'json' | undefined): void => {
    const read = readJson(shown)
    if (as === undefined && isJson && read.fault === undefined) setData(read.value)
    setText(undefined)
    route(`/send${queryOf({ ...query, as })}`, true)
  }
  const post = async (path: string, as: 'sent' | 'checked'): Promise<void> => {
    setOutcome({})
    const read = isJson ? readJson(shown) : { value: data }
    if (read.fault !== undefined) return setOutcome({ problem: notJson(read.fault) })
    try {
      const body = { type: contract.type, data: read.value ?? null, ...optionsIn(form.current!) }
      setOutcome({ [as]: await act<SentEvent>(path, body) })
    } catch (error) {
      setOutcome({ problem: problemOf(error) })
      focusFault()
    }
  }
  const faults = new Map((outcome.problem?.faults ?? []).map(({ field, message }) => [field, message]))
  return (
    <form ref={form} class="send" aria-label={`Event ${contract.type}`} onSubmit={(event) => event.preventDefault()}>
      <Section
        title="Payload"
        aside={
          <span class="aside">
            <button type="button" class="small" onClick={() => turn(isJson ? undefined : 'json')}>
              {isJson ? 'In fields' : 'As JSON'}
            </button>
          </span>
        }
      >
        {isJson ? (
          <textarea
            class="code"
            aria-label="Payload as JSON"
            rows={14}
            spellcheck={false}
            value={shown}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        ) : (
          <SchemaField
            schema={schema}
            root={schema}
            label={`${contract.type}, version ${contract.version}`}
            value={data}
            isRequired
            pointer=""
            faults={faults}
            onChange={setData}
          />
        )}
      </Section>
      <MoreFields contract={contract} />
      <div class="buttons end">
        <button type="button" onClick={() => void post('/events/check', 'checked')}>
          Check it
        </button>
        <ActButton kind="primary" onAct={() => post('/events', 'sent')}>
          Send it
        </ActButton>
      </div>
      <div aria-live="polite">
        {outcome.problem && <PayloadRefused problem={outcome.problem} what="Nothing was sent" />}
        {outcome.checked && (
          <p class="headline good">
            It fits. It would go to <Text>{`${outcome.checked.subject} in ${outcome.checked.stream}`}</Text>; nothing
            was stored.
          </p>
        )}
        {outcome.sent && <Sent event={outcome.sent} />}
      </div>
    </form>
  )
}

function Sent({ event }: { event: SentEvent }): JSX.Element {
  return (
    <Section title={event.duplicate ? 'It was there before' : 'It is stored'}>
      <Facts
        of={[
          [
            'Event id',
            <a href={`/journey?of=${encodeURIComponent(event.id)}`}>
              <Text>{event.id}</Text>
            </a>,
          ],
          ['Stream', <Text>{event.stream}</Text>],
          ['Sequence', event.seq],
          ['Subject', <Text>{event.subject}</Text>],
          ['Key', event.key && <Text>{event.key}</Text>],
          ['Comes at', event.waitsUntil && <Time at={event.waitsUntil} />],
        ]}
      />
      <p>
        <a class="button" href={`/journey?of=${encodeURIComponent(event.id)}`}>
          See what becomes of it
        </a>
      </p>
    </Section>
  )
}

const notJson = (detail: string): ProblemView => ({
  type: 'about:blank',
  title: 'Nothing was sent',
  status: 0,
  code: 'NO_JSON',
  detail,
  fix: 'correct the payload',
})

/** To what is to be corrected first, where that is a field. */
function focusFault(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>('.send [aria-invalid="true"]')?.focus())
}
