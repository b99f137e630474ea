import type { JSX } from 'preact'
import type { HandlerView } from '../../src/api/schemas/handlers.ts'
import { session } from '../api/session.ts'
import { FIELDS, type ReplayValues } from './replay-query.ts'

type ReplayFormProps = {
  handlers: readonly HandlerView[]
  values: ReplayValues
  /** At every key. */
  onChange: (values: ReplayValues) => void
  onCount: (values: ReplayValues) => void
}

/** Which events, and to whom. What is in it is what the address says. */
export function ReplayForm({ handlers, values, onChange, onCount }: ReplayFormProps): JSX.Element {
  const chosen = handlers.find((one) => one.service === values.service && one.handler === values.handler)
  const streams = chosen && chosen.streams.length > 1 ? chosen.streams : []
  const isArchive = values.source === 'archive'
  return (
    <form
      class="panel fields"
      aria-label="Which events"
      // At once: a page that is drawn anew in between would take back what is not in the address yet.
      onInput={({ currentTarget }) => onChange(valuesIn(currentTarget))}
      onSubmit={(event) => {
        event.preventDefault()
        onCount(valuesIn(event.currentTarget))
      }}
    >
      <label>
        To the handler
        <select name="to" value={nameOf(values)} data-filter>
          <option value="">choose one</option>
          {values.handler && !chosen && <option value={nameOf(values)}>{nameOf(values)}, not known here</option>}
          {handlers.map((one) => (
            <option key={nameOf(one)} value={nameOf(one)}>
              {nameOf(one)}
              {one.isShadow ? ', a shadow' : ''}
            </option>
          ))}
        </select>
        <span class="hint">{chosen ? `takes ${chosen.source}` : 'nobody else sees anything of it'}</span>
      </label>
      <label>
        From
        <select name="source" value={isArchive ? 'archive' : ''}>
          <option value="">its stream</option>
          <option value="archive" disabled={!session.value?.hasArchive && !isArchive}>
            the archive
          </option>
        </select>
        <span class="hint">
          {session.value?.hasArchive
            ? 'the archive has what the stream has forgotten'
            : 'this console knows no archive'}
        </span>
      </label>
      {streams.length > 0 && (
        <label>
          Stream
          <select name="stream" value={values.stream ?? ''}>
            <option value="">choose one</option>
            {streams.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
          <span class="hint">it has read several</span>
        </label>
      )}
      <Field name="fromSeq" label="From sequence" values={values} hint="itself too" />
      <Field name="toSeq" label="Up to sequence" values={values} hint="itself too" />
      <Field name="since" label="Stored since" values={values} hint="2026-11-21T10:00:00Z" />
      <Field name="until" label="Stored before" values={values} hint="2026-11-21T12:00:00Z" />
      <Field name="type" label="Type" values={values} hint="all that it takes, if empty" />
      <Field name="key" label="Key" values={values} hint="all, if empty" />
      {isArchive && (
        <Field
          name="epoch"
          label="Epoch"
          values={values}
          hint="of a stream there was: when it was made, unix seconds"
        />
      )}
      <label class="check">
        <input type="checkbox" name="asNew" value="yes" checked={values.asNew !== undefined} />
        <span>
          As new messages
          <span class="hint">under ids of their own, with the event as their cause</span>
        </span>
      </label>
      <div class="buttons end">
        <button type="submit" class="primary">
          Count them
        </button>
      </div>
    </form>
  )
}

type FieldProps = { name: keyof ReplayValues; label: string; hint: string; values: ReplayValues }

function Field({ name, label, hint, values }: FieldProps): JSX.Element {
  return (
    <label>
      {label}
      <input name={name} value={values[name] ?? ''} autocomplete="off" spellcheck={false} maxLength={500} />
      <span class="hint">{hint}</span>
    </label>
  )
}

const nameOf = ({ service, handler }: { service?: string | undefined; handler?: string | undefined }): string =>
  handler ? `${service}/${handler}` : ''

/** Names that are no field of the form now are taken out of the address. */
function valuesIn(form: HTMLFormElement): ReplayValues {
  const given = new FormData(form)
  const textOf = (name: string): string | undefined => {
    const value = given.get(name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const [service, handler] = textOf('to')?.split('/') ?? []
  const others = FIELDS.map((name) => [name, textOf(name)])
  return { ...(Object.fromEntries(others) as object), service, handler } as ReplayValues
}
