import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Text } from '../parts/text.tsx'
import { Hint } from './hint.tsx'
import { branchName, firstOf, isSchema, kindOf, pointerTo, resolved, type Schema } from './schema.ts'
import { Leaf } from './schema-leaf.tsx'

export type SchemaFieldProps = {
  schema: Schema
  root: Schema
  label: string
  value: unknown
  isRequired: boolean
  /** JSON Pointer of it in the payload. */
  pointer: string
  /** By their pointers. */
  faults: ReadonlyMap<string, string>
  /** Undefined: it is not there. */
  onChange: (value: unknown) => void
}

/** A field, or a group of fields, for what a JSON Schema describes. */
export function SchemaField(props: SchemaFieldProps): JSX.Element {
  const { schema, root, value, isRequired, onChange, label } = props
  const found = kindOf(schema, root)
  const isGroup =
    found.kind === 'object' || found.kind === 'list' || found.kind === 'tuple' || found.kind === 'branches'
  if (isGroup && !isRequired && value === undefined)
    return (
      <div class="whole">
        <button type="button" class="small" onClick={() => onChange(firstOf(schema, root) ?? {})}>
          Add {label}
        </button>
      </div>
    )
  if (found.kind === 'list' || found.kind === 'tuple') return <List {...props} items={found.items} />
  if (found.kind === 'branches') return <Branches {...props} branches={found.branches} />
  if (found.kind === 'nullable') return <Nullable {...props} of={found.of} />
  if (found.kind !== 'object') return <Leaf {...props} />
  return (
    <Group {...props}>
      {found.properties.map(([name, one, isNeeded]) => (
        <SchemaField
          key={name}
          {...partOf(props, name)}
          schema={one}
          isRequired={isNeeded}
          onChange={(part) => onChange(withPart(value, name, part))}
        />
      ))}
    </Group>
  )
}

type Part = Pick<SchemaFieldProps, 'root' | 'faults' | 'label' | 'pointer' | 'value'>

function partOf({ root, faults, pointer, value }: SchemaFieldProps, name: string | number): Part {
  const part = isSchema(value) || Array.isArray(value) ? (value as Record<string | number, unknown>)[name] : undefined
  return { root, faults, label: String(name), pointer: pointerTo(pointer, name), value: part }
}

function withPart(whole: unknown, name: string, part: unknown): unknown {
  const { [name]: _, ...others } = isSchema(whole) ? whole : {}
  return part === undefined ? others : { ...others, [name]: part }
}

function Group({
  label,
  isRequired,
  onChange,
  pointer,
  faults,
  schema,
  root,
  children,
}: SchemaFieldProps & { children: ComponentChildren }): JSX.Element {
  const fault = faults.get(pointer)
  return (
    <fieldset class="fields whole">
      <legend>
        <Text>{label}</Text>
        {!isRequired && (
          <button type="button" class="small" onClick={() => onChange(undefined)} aria-label={`Leave out ${label}`}>
            Leave out
          </button>
        )}
      </legend>
      <Hint schema={resolved(schema, root)} />
      {fault && <p class="fault whole">{fault}</p>}
      {children}
    </fieldset>
  )
}

function List(props: SchemaFieldProps & { items: Schema | readonly Schema[] }): JSX.Element {
  const { items, root, value, onChange, label } = props
  const list: readonly unknown[] = Array.isArray(value) ? value : []
  // A copy of the array's type: a tuple has a schema for each place.
  const isTuple = Array.isArray(items)
  const schemaOf = (at: number): Schema => (isTuple ? ((items as readonly Schema[])[at] ?? {}) : (items as Schema))
  const places = isTuple ? (items as readonly Schema[]).map((_, at) => list[at]) : list
  return (
    <Group {...props}>
      {places.map((_, at) => (
        <div class="item whole" key={at}>
          <SchemaField
            {...partOf(props, at)}
            label={`${label} ${at + 1}`}
            schema={schemaOf(at)}
            isRequired
            onChange={(part) => onChange(places.map((one, other) => (other === at ? (part ?? null) : one)))}
          />
          {!isTuple && (
            <button
              type="button"
              class="small"
              aria-label={`Remove ${label} ${at + 1}`}
              onClick={() => onChange(list.filter((_one, other) => other !== at))}
            >
              Remove
            </button>
          )}
        </div>
      ))}
      {!isTuple && (
        <div class="whole">
          <button
            type="button"
            class="small"
            onClick={() => onChange([...list, firstOf(schemaOf(0), root) ?? null])}
            aria-label={`Add one to ${label}`}
          >
            Add one
          </button>
        </div>
      )}
    </Group>
  )
}

function Branches(props: SchemaFieldProps & { branches: readonly Schema[] }): JSX.Element {
  const { branches, root, label, onChange } = props
  const [chosen, setChosen] = useState(0)
  return (
    <fieldset class="fields whole">
      <legend>
        <Text>{label}</Text>
      </legend>
      <label>
        Which
        <select
          value={chosen}
          onChange={({ currentTarget }) => {
            const at = Number(currentTarget.value)
            setChosen(at)
            onChange(firstOf(branches[at] ?? {}, root))
          }}
        >
          {branches.map((one, at) => (
            <option key={at} value={at}>
              {branchName(one, root, at)}
            </option>
          ))}
        </select>
      </label>
      <SchemaField key={chosen} {...props} isRequired schema={branches[chosen] ?? {}} />
    </fieldset>
  )
}

function Nullable(props: SchemaFieldProps & { of: Schema }): JSX.Element {
  const { of, value, label, onChange, root } = props
  return (
    <div class="nullable">
      {value !== null && <SchemaField {...props} schema={of} />}
      <label class="check">
        <input
          type="checkbox"
          checked={value === null}
          onChange={({ currentTarget }) => onChange(currentTarget.checked ? null : firstOf(of, root))}
        />
        <span>
          <Text>{label}</Text> is null
        </span>
      </label>
    </div>
  )
}
