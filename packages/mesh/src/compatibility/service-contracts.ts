import type { AnyContract } from '../message/contract.ts'
import type { AnyRequest } from '../request/contract.ts'
import type { ServiceDef } from '../service/define.ts'
import { type ContractSnapshot, contractsSnapshot, type ContractsSnapshot } from './snapshot.ts'

/** What a service says at its start of what it handles, answers and publishes. Plain JSON. */
export type ServiceContracts = {
  readonly v: 1
  readonly service: string
  /** The service's own. */
  readonly version: string
  readonly handlers: readonly HandlerSnapshot[]
  readonly replies: readonly { readonly reply: string; readonly type: string }[]
  /** Types it declares to publish. */
  readonly publishes: readonly string[]
  /** Handlers that are gone for good. */
  readonly retired: readonly string[]
  /** All of these. */
  readonly contracts: ContractsSnapshot['contracts']
  /** Contracts that are left out, because their schema library gives no JSON Schema. */
  readonly untold: readonly { readonly type: string; readonly why: string }[]
}

export type HandlerSnapshot = {
  readonly handler: string
  /** A type, or a pattern of types where it handles a topic. */
  readonly source: string
  readonly isTopic: boolean
  /** Without the namespace. */
  readonly stream: string
  readonly order: 'key' | null
}

/** The same service gives the same text, so that an unchanged one need not be written. Pure. */
export function serviceContracts(service: ServiceDef): ServiceContracts {
  const { name, version, publishes, retired } = service
  const contracts: ContractSnapshot[] = []
  const untold: { type: string; why: string }[] = []
  for (const contract of contractsOf(service)) {
    try {
      contracts.push(...contractsSnapshot([contract]).contracts)
    } catch (error) {
      untold.push({ type: contract.type, why: error instanceof Error ? error.message : String(error) })
    }
  }
  return {
    v: 1,
    service: name,
    version,
    handlers: Object.entries(service.handlers).map(([handler, { source, order }]) => ({
      handler,
      source: source.kind === 'topic' ? source.pattern : source.type,
      isTopic: source.kind === 'topic',
      stream: source.stream.name,
      order: order ?? null,
    })),
    replies: Object.entries(service.replies).map(([reply, { contract }]) => ({ reply, type: contract.type })),
    publishes: publishes.map(({ type }) => type),
    retired,
    contracts,
    untold,
  }
}

/** One a type: where a service has two declarations of one, it is the handler's, which decides what is refused. */
function contractsOf({ handlers, replies, publishes }: ServiceDef): (AnyContract | AnyRequest)[] {
  const all = [
    ...Object.values(handlers).flatMap(({ source }) => (source.kind === 'topic' ? [] : [source])),
    ...Object.values(replies).map(({ contract }) => contract),
    ...publishes,
  ]
  const byType = new Map<string, AnyContract | AnyRequest>()
  for (const contract of all) if (!byType.has(contract.type)) byType.set(contract.type, contract)
  return [...byType.values()].sort((a, b) => (a.type < b.type ? -1 : 1))
}
