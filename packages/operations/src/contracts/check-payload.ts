import type { JsonSchema } from '@malha/mesh'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { OperationsError, type PayloadFault } from '../errors.ts'
import type { KnownContract } from './known-contract.ts'

/** Faults told at most: a list of a million wrong items is one mistake. */
const MOST_FAULTS = 50

/**
 * All that is wrong with data for a contract; empty when every service takes it. It brings a whole validator along, so it is
 * loaded where something is checked.
 * @throws OperationsError OPERATIONS_UNKNOWN_TYPE: a schema that cannot be checked by
 */
export function payloadFaults({ type, schemas }: KnownContract, data: unknown): PayloadFault[] {
  const found = schemas.flatMap(({ schema, services }) => {
    const faults = schemaFaults({ type, schema, services }, data)
    return schemas.length === 1 ? faults : faults.map((fault) => saidBy(services, fault))
  })
  if (found.length <= MOST_FAULTS) return found
  const rest = `and ${found.length - MOST_FAULTS} more`
  return [...found.slice(0, MOST_FAULTS), { pointer: '', message: rest, sentence: rest }]
}

function saidBy(services: readonly string[], { pointer, message, sentence: whole }: PayloadFault): PayloadFault {
  const who = services.join(', ')
  return { pointer, message: `${who}: ${message}`, sentence: `${who}: ${whole}` }
}

type Said = Pick<KnownContract, 'type'> & KnownContract['schemas'][number]

function schemaFaults({ type, schema, services }: Said, data: unknown): PayloadFault[] {
  const check = compiledOrThrow(() => compile(schema), { type, services })
  if (check(data)) return []
  const faults = (check.errors ?? []).map(faultOf)
  return [...new Map(faults.map((fault) => [fault.sentence, fault])).values()]
}

function compiledOrThrow(
  make: () => ValidateFunction,
  { type, services }: Pick<Said, 'type' | 'services'>,
): ValidateFunction {
  try {
    return make()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const detail = `the schema that ${services.join(', ')} has for ${type} cannot be checked by: ${why}`
    throw new OperationsError('OPERATIONS_UNKNOWN_TYPE', detail, { cause })
  }
}

/** Compiled ones are kept: an editor checks at every key. */
const compiled = new Map<string, ValidateFunction>()
const MOST_COMPILED = 200

function compile(schema: JsonSchema): ValidateFunction {
  const text = JSON.stringify(schema)
  const known = compiled.get(text)
  if (known) return known
  // One each: two schemas may have the same $id.
  const ajv = formats.default(new Ajv2020({ allErrors: true, strict: false, logger: false }))
  const made = ajv.compile(schema)
  if (compiled.size >= MOST_COMPILED) compiled.clear()
  compiled.set(text, made)
  return made
}

function faultOf({ instancePath, keyword, params, message = keyword }: ErrorObject): PayloadFault {
  const given = params as Record<string, unknown>
  const path = wordsOf(instancePath)
  const told = `${message}${moreOf(keyword, given)}`
  const missing = keyword === 'required' ? String(given['missingProperty']) : undefined
  return {
    pointer: missing === undefined ? instancePath : `${instancePath}/${tokenOf(missing)}`,
    message: missing === undefined ? told : 'is missing',
    sentence: `${path === '' ? 'the payload' : path} ${told}`,
  }
}

const tokenOf = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')

/** A pointer as people write places: `lines[2].price`. */
function wordsOf(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (whole, token) => (/^\d+$/.test(token) ? `${whole}[${token}]` : whole === '' ? token : `${whole}.${token}`),
      '',
    )
}

function moreOf(keyword: string, given: Record<string, unknown>): string {
  if (keyword === 'enum')
    return `: ${(given['allowedValues'] as unknown[]).map((one) => JSON.stringify(one)).join(', ')}`
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties')
    return `: ${JSON.stringify(given['additionalProperty'] ?? given['unevaluatedProperty'])}`
  return keyword === 'const' ? `: ${JSON.stringify(given['allowedValue'])}` : ''
}
