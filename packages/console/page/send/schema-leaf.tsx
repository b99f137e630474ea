import type { JSX } from 'preact'
import { useId, useState } from 'preact/hooks'
import { Text } from '../parts/text.tsx'
import { Hint } from './hint.tsx'
import { kindOf, readJson, resolved } from './schema.ts'
import type { SchemaFieldProps } from './schema-field.tsx'

/** One value. */
export function Leaf(props: SchemaFieldProps): JSX.Element {
  const { schema, root, label, value, isRequired, pointer, faults, onChange } = props
  const found = kindOf(schema, root)
  const id = useId()
  const fault = faults.get(pointer)
  const common = {
    id,
    'aria-required': isRequired,
    'aria-invalid': fault !== undefined,
    'aria-describedby': `${id}-hint`,
    'data-pointer': pointer,
  }
  const own = resolved(schema, root)
  return (
    <div class={`field ${found.kind === 'json' ? 'whole' : ''}`}>
      <label for={id}>
        <span>
          <Text>{label}</Text>
          {isRequired ? '' : ', may be left out'}
        </span>
      </label>
      {found.kind === 'choice' || found.kind === 'boolean' ? (
        <Choice
          {...common}
          values={found.kind === 'choice' ? found.values : [true, false]}
          value={value}
          onChange={onChange}
        />
      ) : found.kind === 'json' ? (
        <JsonText {...common} value={value} onChange={onChange} />
      ) : found.kind === 'fixed' ? (
        <input {...common} readOnly value={JSON.stringify(found.value)} />
      ) : (
        <input
          {...common}
          value={textOf(value)}
          autocomplete="off"
          spellcheck={false}
          inputMode={found.kind === 'text' ? 'text' : 'decimal'}
          onInput={({ currentTarget }) => onChange(valueOf(currentTarget.value, found.kind))}
        />
      )}
      <div id={`${id}-hint`}>
        <Hint schema={own} />
        {fault && <p class="fault">{fault}</p>}
      </div>
    </div>
  )
}

const textOf = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

/** What is no number stays text: the contract's check says so. */
function valueOf(text: string, kind: string): unknown {
  if (text === '') return undefined
  const number = Number(text)
  return kind === 'text' || text.trim() === '' || Number.isNaN(number) ? text : number
}

type InputProps = { id: string; value: unknown; onChange: (value: unknown) => void }

function Choice({ values, value, onChange, ...common }: InputProps & { values: readonly unknown[] }): JSX.Element {
  const chosen = values.findIndex((one) => JSON.stringify(one) === JSON.stringify(value))
  return (
    <select {...common} value={chosen} onChange={({ currentTarget }) => onChange(values[Number(currentTarget.value)])}>
      <option value={-1}>choose</option>
      {values.map((one, at) => (
        <option key={at} value={at}>
          {typeof one === 'string' ? one : JSON.stringify(one)}
        </option>
      ))}
    </select>
  )
}

/** For what no simple field says: the last text that was JSON counts, and what is none is told. */
function JsonText({ value, onChange, ...common }: InputProps): JSX.Element {
  const [text, setText] = useState(value === undefined ? '' : JSON.stringify(value, null, 2))
  const { fault } = text.trim() === '' ? {} : readJson(text)
  return (
    <>
      <textarea
        {...common}
        class="code"
        rows={4}
        spellcheck={false}
        value={text}
        onInput={({ currentTarget }) => {
          setText(currentTarget.value)
          const read = currentTarget.value.trim() === '' ? {} : readJson(currentTarget.value)
          if (read.fault === undefined) onChange(read.value)
        }}
      />
      <p class="hint">as JSON</p>
      {fault && <p class="fault">{fault}</p>}
    </>
  )
}
