import type { JsonSchema } from '@malha/mesh'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { OperationsError } from '../errors.ts'
import type { KnownContract } from './known-contract.ts'

/** Faults told at most: a list of a million wrong items is one mistake. */
const MOST_FAULTS = 50

/**
 * All that is wrong with data for a contract, as sentences with the path; empty when every service takes it. Values are
 * never repeated: they may be secrets.
 * @throws OperationsError OPERATIONS_UNKNOWN_TYPE: a schema that cannot be checked by
 */
export function payloadFaults({ type, schemas }: KnownContract, data: unknown): string[] {
  const found = schemas.flatMap(({ schema, services }) => {
    const faults = schemaFaults({ type, schema, services }, data)
    return schemas.length === 1 ? faults : faults.map((fault) => `${services.join(', ')}: ${fault}`)
  })
  if (found.length <= MOST_FAULTS) return found
  return [...found.slice(0, MOST_FAULTS), `and ${found.length - MOST_FAULTS} more`]
}

type Said = Pick<KnownContract, 'type'> & KnownContract['schemas'][number]

function schemaFaults({ type, schema, services }: Said, data: unknown): string[] {
  const check = compiledOrThrow(() => compile(schema), { type, services })
  if (check(data)) return []
  return [...new Set((check.errors ?? []).map(sentence))]
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

function sentence({ instancePath, keyword, params, message }: ErrorObject): string {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (whole, token) => (/^\d+$/.test(token) ? `${whole}[${token}]` : whole === '' ? token : `${whole}.${token}`),
      '',
    )
  const given = params as Record<string, unknown>
  const more =
    keyword === 'enum'
      ? `: ${(given['allowedValues'] as unknown[]).map((one) => JSON.stringify(one)).join(', ')}`
      : keyword === 'additionalProperties' || keyword === 'unevaluatedProperties'
        ? `: ${JSON.stringify(given['additionalProperty'] ?? given['unevaluatedProperty'])}`
        : keyword === 'const'
          ? `: ${JSON.stringify(given['allowedValue'])}`
          : ''
  return `${path === '' ? 'the payload' : path} ${message ?? keyword}${more}`
}
