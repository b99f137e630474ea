/** What a form needs to know of a JSON Schema: which kind of field, with what in it at first. Whether a value fits is the server's to say. */
export type Schema = { readonly [keyword: string]: unknown }

/** `json`: nothing simpler says it, so it is written as JSON. */
export type Kind =
  | { kind: 'text' | 'number' | 'integer' | 'boolean' | 'json' }
  | { kind: 'fixed'; value: unknown }
  | { kind: 'choice'; values: readonly unknown[] }
  | { kind: 'nullable'; of: Schema }
  | { kind: 'branches'; branches: readonly Schema[] }
  | { kind: 'list'; items: Schema }
  | { kind: 'tuple'; items: readonly Schema[] }
  | { kind: 'object'; properties: readonly (readonly [name: string, schema: Schema, isRequired: boolean])[] }

export const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** References in a chain that are followed; one more is no schema that anybody means. */
const LONGEST_CHAIN = 20

/** A schema that refers to another one of its document, as that one. */
export function resolved(schema: Schema, root: Schema): Schema {
  let found = schema
  for (let step = 0; typeof found['$ref'] === 'string' && step < LONGEST_CHAIN; step++) {
    const { $ref, ...own } = found
    const target = at(root, $ref)
    if (!target) return own
    found = { ...target, ...own }
  }
  return found
}

function at(root: Schema, ref: string): Schema | undefined {
  if (!/^#(\/|$)/.test(ref)) return undefined
  const tokens = decodeURIComponent(ref).split('/').slice(1)
  const found = tokens.reduce<unknown>(
    (value, token) => (isSchema(value) ? value[token.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined),
    root,
  )
  return isSchema(found) ? found : undefined
}

export function kindOf(given: Schema, root: Schema): Kind {
  const schema = resolved(given, root)
  if ('const' in schema) return { kind: 'fixed', value: schema['const'] }
  if (Array.isArray(schema['enum'])) return { kind: 'choice', values: schema['enum'] }
  const branches = branchesOf(schema)
  if (branches) return ofBranches(branches)
  switch (schema['type']) {
    case 'string':
      return { kind: 'text' }
    case 'number':
    case 'integer':
    case 'boolean':
      return { kind: schema['type'] }
    case 'null':
      return { kind: 'fixed', value: null }
    case 'array':
      return ofArray(schema)
    case 'object':
      return ofObject(schema)
    default:
      return { kind: 'json' }
  }
}

/** Of a schema that is one of several and nothing else. */
function branchesOf(schema: Schema): Schema[] | undefined {
  if (Array.isArray(schema['type'])) return schema['type'].map((type) => ({ ...schema, type }))
  const given = schema['oneOf'] ?? schema['anyOf']
  return Array.isArray(given) && given.every(isSchema) && !('properties' in schema) ? given : undefined
}

function ofBranches(branches: readonly Schema[]): Kind {
  const others = branches.filter((one) => one['type'] !== 'null')
  const [only] = others
  if (others.length < branches.length && only)
    return { kind: 'nullable', of: others.length === 1 ? only : { anyOf: others } }
  return { kind: 'branches', branches }
}

function ofArray({ items, prefixItems }: Schema): Kind {
  if (Array.isArray(prefixItems) && prefixItems.every(isSchema)) return { kind: 'tuple', items: prefixItems }
  return isSchema(items) ? { kind: 'list', items } : { kind: 'json' }
}

/** What may have any names is written as JSON, and so is what several schemas together say. */
function ofObject({ properties, required, additionalProperties, allOf, patternProperties }: Schema): Kind {
  const isOpen = isSchema(additionalProperties) && Object.keys(additionalProperties).length > 0
  if (!isSchema(properties) || isOpen || allOf || patternProperties) return { kind: 'json' }
  const names = Array.isArray(required) ? required : []
  const known = Object.entries(properties).map(
    ([name, schema]) => [name, isSchema(schema) ? schema : {}, names.includes(name)] as const,
  )
  // A contract's words come by the alphabet: what must be there is asked for first.
  return { kind: 'object', properties: known.toSorted(([, , a], [, , b]) => Number(b) - Number(a)) }
}

/** Deeper than this nothing is filled in by itself: a schema may contain itself. */
const DEEPEST = 8

/** What a field has in it at first: what the schema says, and what must be there; undefined: nothing. */
export function firstOf(given: Schema, root: Schema, depth = 0): unknown {
  const schema = resolved(given, root)
  if ('default' in schema) return structuredClone(schema['default'])
  const found = kindOf(schema, root)
  if (depth > DEEPEST) return undefined
  const part = (one: Schema): unknown => firstOf(one, root, depth + 1)
  if (found.kind === 'fixed') return found.value
  if (found.kind === 'branches') return part(found.branches[0] ?? {})
  if (found.kind === 'list') return []
  if (found.kind === 'tuple') return found.items.map((one) => part(one) ?? null)
  if (found.kind !== 'object') return undefined
  const values = found.properties
    .filter(([, , isRequired]) => isRequired)
    .map(([name, one]) => [name, part(one)] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

/** What people call one of several. */
export function branchName(given: Schema, root: Schema, at: number): string {
  const schema = resolved(given, root)
  if (typeof schema['title'] === 'string') return schema['title']
  const found = kindOf(schema, root)
  if (found.kind === 'fixed') return JSON.stringify(found.value)
  const properties = found.kind === 'object' ? found.properties : []
  const marks = properties.flatMap(([name, one]) => {
    const mark = kindOf(one, root)
    return mark.kind === 'fixed' ? [`${name}: ${String(mark.value)}`] : []
  })
  return marks.join(', ') || `${at + 1}, ${typeof schema['type'] === 'string' ? schema['type'] : 'any'}`
}

export const pointerTo = (pointer: string, name: string | number): string =>
  `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`

/** JSON as a value, or why it is none. What could not be sent as it was written is no value. */
export function readJson(text: string): { value?: unknown; fault?: string } {
  let lossy: string | undefined
  const keep = (_: string, value: unknown, { source }: { source?: string } = {}): unknown => {
    if (typeof value === 'number' && source && /^-?\d+$/.test(source) && !Number.isSafeInteger(value)) lossy = source
    return value
  }
  try {
    const value: unknown = JSON.parse(text, keep)
    return lossy === undefined ? { value } : { fault: `the number ${lossy} is too large to be sent as it is` }
  } catch (error) {
    return { fault: `no JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
}
