import type { AnyContract } from '../message/contract.ts'
import type { AnyRequest } from '../request/contract.ts'
import { compareAnswers } from './compare-answers.ts'
import { compareMarks } from './compare-marks.ts'
import { compareSchemas } from './compare-schemas.ts'
import type { Finding, Words } from './place.ts'
import { type ContractSnapshot, type ContractsSnapshot, contractsSnapshot, readSnapshot } from './snapshot.ts'

/**
 * `backward`: the new release reads what the old one wrote (streams are full of that). `forward`: the old release, which
 * runs beside the new one for a while, reads what the new one writes. `full`: both.
 */
export type CompatibilityMode = 'backward' | 'forward' | 'full'

/** One reason why two sets of contracts do not get along. */
export type Incompatibility = {
  /** The contract's type. */
  readonly contract: string
  readonly direction: 'backward' | 'forward'
  /** Where in the payload, e.g. `items[].price`; empty for the contract as such. */
  readonly path: string
  /** In words. */
  readonly what: string
}

export type CheckOptions = {
  /** What is released: a snapshot (as it comes out of `JSON.parse`), or contracts. */
  before: ContractsSnapshot | readonly (AnyContract | AnyRequest)[]
  /** What is about to be. */
  after: ContractsSnapshot | readonly (AnyContract | AnyRequest)[]
  mode: CompatibilityMode
}

/**
 * Compares two sets of contracts. Empty: they get along. Where a schema says things that cannot be compared, that is
 * reported too, so that an empty list can be relied on.
 * @throws MeshError MESH_INVALID_CONTRACT: no snapshot, or a contract whose JSON Schema cannot be had
 */
export function checkContracts({ before, after, mode }: CheckOptions): Incompatibility[] {
  const old = snapshotFrom(before)
  const now = new Map(snapshotFrom(after).contracts.map((contract) => [contract.type, contract]))
  const directions = mode === 'full' ? (['backward', 'forward'] as const) : [mode]
  return directions.flatMap((direction) =>
    old.contracts.flatMap((contract) => {
      const after = now.get(contract.type)
      const findings = compareContracts(contract, after, direction)
      // Told once, whatever the mode, and for a new version too: it is about what people see, not about what releases read.
      if (after && direction === directions[0]) findings.push(...compareMarks(contract.schema, after.schema))
      return findings.map(({ path, what }) => ({ contract: contract.type, direction, path, what }))
    }),
  )
}

function snapshotFrom(given: ContractsSnapshot | readonly (AnyContract | AnyRequest)[]): ContractsSnapshot {
  return Array.isArray(given) ? contractsSnapshot(given as readonly (AnyContract | AnyRequest)[]) : readSnapshot(given)
}

function wordsFor(direction: 'backward' | 'forward', { kind }: ContractSnapshot): Words {
  return direction === 'backward'
    ? { writer: `an older ${kind}`, reader: 'the new schema' }
    : { writer: `a newer ${kind}`, reader: 'the old schema' }
}

function compareContracts(
  before: ContractSnapshot,
  after: ContractSnapshot | undefined,
  direction: 'backward' | 'forward',
): Finding[] {
  const say = (what: string): Finding => ({ path: '', what })
  if (!after) return direction === 'backward' ? [say(GONE[before.kind])] : []
  const [from, to] = direction === 'backward' ? [before, after] : [after, before]
  const found = [...placeFindings(before, after).map(say), ...compareAnswers(from, to, direction)]
  if (after.version === before.version)
    return [...found, ...compareSchemas(from.schema, to.schema, wordsFor(direction, before))]
  const isLower = after.version < before.version
  const waits = before.kind === 'request' ? 'are refused' : `wait${isLower ? ' for ever' : ' until it is replaced'}`
  if (isLower)
    return [
      ...found,
      say(`its version fell from ${before.version} to ${after.version}; those of ${before.version} ${waits}`),
    ]
  // upcast brings older payloads to the new schema: code, which only tests can check.
  if (direction === 'backward') return found
  return [...found, say(`its version is ${after.version}; where a release knows ${before.version}, they ${waits}`)]
}

const GONE: Record<ContractSnapshot['kind'], string> = {
  event: 'it is gone; older ones are still in the stream, and handlers of older releases wait for new ones',
  command: 'it is gone; older ones are still in the stream, and nobody handles them',
  request: 'it is gone; older releases still ask',
}

/** What is not about payloads: where events are, and under which subject. */
function placeFindings(before: ContractSnapshot, after: ContractSnapshot): string[] {
  const found: string[] = []
  const changed = (what: string, from: unknown, to: unknown, so: string): void => {
    if (from !== to) found.push(`its ${what} was ${String(from)} and is ${String(to)} now; ${so}`)
  }
  changed('kind', before.kind, after.kind, 'an event is for all, a command for one, a request for an answer')
  changed('stream', before.stream?.name, after.stream?.name, 'handlers of one release do not see the other’s events')
  changed('content type', before.contentType, after.contentType, 'what one release writes is undecodable to the other')
  if (before.priorities && !after.priorities)
    found.push('it had priorities and has none now; urgent and less urgent ones that wait are not handled any more')
  changed('partitions', before.stream?.partitions, after.stream?.partitions, 'they are fixed when the stream is made')
  // With a new version it was meant: see docs/how-to/change-a-contract.md.
  if (before.key !== after.key && before.version === after.version) found.push(keyFinding(before.key, after.key))
  return found
}

function keyFinding(was: string | null, is: string | null): string {
  if (was === null || is === null)
    return `it had ${was === null ? 'no key' : `the key ${was}`} and has ${is === null ? 'none' : is} now; its subject changes, and with it \`once\` and order`
  if (was.startsWith('computed') && is.startsWith('computed'))
    return 'the function that computes its key changed; if it gives the same keys, write the snapshot anew, otherwise raise the version'
  return `its key was ${was} and is ${is} now; order, \`once\` and partition go by the key, so raise the version, and see that older events are handled first`
}
