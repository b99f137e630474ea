import { type ContractSnapshot, contains, isObject, type JsonSchema, type ServiceContracts } from '@malha/mesh'
import { OperationsError } from '../errors.ts'

/** What the services of a mesh say of one type, in its newest version. */
export type KnownContract = {
  readonly type: string
  readonly kind: ContractSnapshot['kind']
  readonly version: number
  readonly contentType: string
  /** Null of a request. */
  readonly stream: { readonly name: string; readonly partitions: number } | null
  /** In words, such as `{orderId}`, or `computed (…)`; null without a key. */
  readonly key: string | null
  readonly priorities: boolean
  /** Each schema that services have for this version, and who has it. One, unless they disagree. */
  readonly schemas: readonly { readonly schema: JsonSchema; readonly services: readonly string[] }[]
  /** `service.handler` of those who handle it, `service.reply` of those who answer it; a topic's with them. */
  readonly handledBy: readonly string[]
  /** Services that declare to publish it. */
  readonly publishedBy: readonly string[]
}

/** All types that the services said, by name. Pure. */
export function knownContracts(services: readonly ServiceContracts[]): KnownContract[] {
  const types = new Set(services.flatMap(({ contracts }) => contracts.map(({ type }) => type)))
  return [...types].sort().map((type) => knownOf(services, type))
}

/** @throws OperationsError OPERATIONS_UNKNOWN_TYPE */
export function knownContract(services: readonly ServiceContracts[], type: string): KnownContract {
  if (services.some(({ contracts }) => contracts.some((one) => one.type === type))) return knownOf(services, type)
  const untold = services.flatMap((one) => one.untold.filter((left) => left.type === type))
  const types = knownContracts(services).map((one) => one.type)
  throw new OperationsError(
    'OPERATIONS_UNKNOWN_TYPE',
    untold[0]
      ? `the schema of ${type} is not known: ${untold[0].why}`
      : `no service of this mesh said that it handles or publishes ${JSON.stringify(type)}; they know ${types.join(', ') || 'nothing'}`,
  )
}

function knownOf(services: readonly ServiceContracts[], type: string): KnownContract {
  const said = services.flatMap(({ service, contracts }) =>
    contracts.filter((one) => one.type === type).map((contract) => ({ service, contract })),
  )
  const version = Math.max(...said.map(({ contract }) => contract.version))
  const newest = said.filter(({ contract }) => contract.version === version)
  const schemas = new Map<string, { schema: JsonSchema; services: string[] }>()
  for (const { service, contract } of newest) {
    const text = JSON.stringify(asserted(contract.schema))
    const known = schemas.get(text)
    if (known) known.services.push(service)
    else schemas.set(text, { schema: contract.schema, services: [service] })
  }
  const { kind, contentType, stream, key, priorities } = newest[0]!.contract
  return {
    type,
    kind,
    version,
    contentType,
    stream,
    key,
    priorities,
    schemas: [...schemas.values()],
    handledBy: services.flatMap((one) => handlersOf(one, { type, stream: stream?.name })),
    publishedBy: services.filter(({ publishes }) => publishes.includes(type)).map(({ service }) => service),
  }
}

function handlersOf(
  { service, handlers, replies }: ServiceContracts,
  { type, stream }: { type: string; stream: string | undefined },
): string[] {
  const named = handlers.filter(
    (one) => one.stream === stream && (one.isTopic ? contains(one.source, type) : one.source === type),
  )
  return [
    ...named.map(({ handler }) => `${service}.${handler}`),
    ...replies.filter((one) => one.type === type).map(({ reply }) => `${service}.${reply}`),
  ]
}

/** A schema without what it says to people only: two that differ in a description are one. */
function asserted(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(asserted)
  if (!isObject(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).flatMap(([name, value]) =>
      ['description', 'title', 'examples'].includes(name) && typeof value !== 'object' ? [] : [[name, asserted(value)]],
    ),
  )
}
