import { isObject, type JsonSchema } from '@malha/mesh'
import type { Json } from './asyncapi.ts'
import type { KnownContract } from './known-contract.ts'
import type { Said } from './asyncapi-channels.ts'

/** Of every event: docs/reference/wire.md. */
export const headersSchema: { readonly name: string; readonly schema: Json } = {
  name: '_headers',
  schema: {
    type: 'object',
    required: ['ce-specversion', 'ce-id', 'ce-type', 'ce-source'],
    properties: {
      'ce-specversion': { type: 'string', description: 'CloudEvents, binary mode' },
      'ce-id': { type: 'string', description: 'identity; the same through retry, redrive and replay' },
      'ce-type': { type: 'string' },
      'ce-source': { type: 'string' },
      'ce-time': { type: 'string', format: 'date-time' },
      'ce-dataschema': { type: 'string', description: '<type>/<version>' },
      'ce-partitionkey': { type: 'string', description: 'the key' },
      'ce-correlationid': { type: 'string' },
      'ce-causationid': { type: 'string' },
    },
  },
}

/** Of a type, and of what answers it. */
export const replyName = (type: string): string => `${type}.reply`
export const errorName = (type: string, code: string): string => `${type}.error.${code}`

export function messagesOf({ services, contracts }: Said): Json {
  const messages: Record<string, unknown> = {}
  for (const contract of contracts) {
    const { type, kind, version, contentType } = contract
    messages[type] = {
      name: type,
      title: `${type}/${version}`,
      summary:
        kind === 'request' ? 'A request.' : `${kind === 'event' ? 'An event' : 'A command'} of version ${version}.`,
      contentType,
      correlationId: { location: '$message.header#/ce-correlationid' },
      headers: { $ref: `#/components/schemas/${headersSchema.name}` },
      payload: { $ref: `#/components/schemas/${type}` },
    }
    for (const [name, title] of answersOf(services, contract))
      messages[name] = { name, title, contentType, payload: { $ref: `#/components/schemas/${name}` } }
  }
  return messages
}

/** Names of the messages that answer a request, and what they are. */
export function answersOf(services: Said['services'], { type, kind }: KnownContract): [name: string, title: string][] {
  if (kind !== 'request') return []
  const { answers } = snapshotOf(services, type)
  if (!answers) return []
  const errors = Object.keys(answers.errors).map((code): [string, string] => [errorName(type, code), `error ${code}`])
  return [[replyName(type), answers.streaming ? 'one part of the answer' : 'the answer'], ...errors]
}

/** Payloads by type. Where services disagree, a payload has to fit all of them. */
export function schemasOf({ services, contracts }: Said): Json {
  const schemas: Record<string, unknown> = {}
  const add = (name: string, schema: JsonSchema): void => void (schemas[name] = inDocument(schema, name))
  for (const { type, kind, schemas: said } of contracts) {
    if (said.length === 1) add(type, said[0]!.schema)
    else {
      const parts = said.map(({ schema, services: by }) => ({ name: `${type}.${by.join('.')}`, schema }))
      for (const { name, schema } of parts) add(name, schema)
      schemas[type] = { allOf: parts.map(({ name }) => ({ $ref: `#/components/schemas/${name}` })) }
    }
    const answers = kind === 'request' ? snapshotOf(services, type).answers : null
    if (!answers) continue
    add(replyName(type), answers.reply)
    for (const [code, schema] of Object.entries(answers.errors)) add(errorName(type, code), schema)
  }
  return schemas
}

function snapshotOf(services: Said['services'], type: string): Said['services'][number]['contracts'][number] {
  const said = services.flatMap((one) => one.contracts.filter((contract) => contract.type === type))
  return said.reduce((best, one) => (one.version > best.version ? one : best))
}

/**
 * A JSON Schema as a part of the document: references within it are told from the document's root, and what draft 2020-12 says
 * of tuples is said as AsyncAPI's own schemas (a superset of draft 7) say it.
 */
export function inDocument(schema: unknown, name: string): unknown {
  if (Array.isArray(schema)) return schema.map((one) => inDocument(one, name))
  if (!isObject(schema)) return schema
  const { $schema: _, $id: _id, prefixItems, items, ...rest } = schema
  const tuple =
    prefixItems === undefined
      ? { items }
      : { items: prefixItems, ...(items !== undefined && { additionalItems: items }) }
  const all = { ...rest, ...(tuple.items !== undefined && tuple) }
  return Object.fromEntries(
    Object.entries(all).map(([keyword, value]) =>
      keyword === '$ref' && typeof value === 'string' && value.startsWith('#')
        ? [keyword, `#/components/schemas/${name}${value.slice(1)}`]
        : ['const', 'enum', 'default', 'examples'].includes(keyword)
          ? [keyword, value]
          : [keyword, inDocument(value, name)],
    ),
  )
}
