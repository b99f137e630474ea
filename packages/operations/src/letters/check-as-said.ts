import { HEADER, type Mesh, receivedHeaders } from '@malha/mesh'
import { keyOf } from '../contracts/key-of.ts'
import { type KnownContract, knownContracts } from '../contracts/known-contract.ts'
import { readSaid } from '../contracts/said.ts'
import { OperationsError } from '../errors.ts'
import type { WholeLetter } from './read-whole.ts'

/**
 * Checks a correction by what the services said of the letter's type at their last start. Returns the contract's type and version; null: nobody said it.
 * @throws OperationsError OPERATIONS_EDIT_REFUSED with every fault and its place
 */
export async function checkAsSaid(mesh: Mesh, letter: WholeLetter, document: unknown): Promise<string | null> {
  const contract = await saidOf(mesh, letter)
  if (!contract) return null
  const { payloadFaults } = await import('../contracts/check-payload.ts')
  const faults = payloadFaults(contract, document)
  if (faults.length > 0)
    throw new OperationsError(
      'OPERATIONS_EDIT_REFUSED',
      `the payload does not fit ${contract.type}/${contract.version}: ${faults.map(({ sentence }) => sentence).join('; ')}`,
      { faults },
    )
  const { key } = keyOf(contract, document)
  if (key === undefined || letter.key === undefined || key === letter.key) return `${contract.type}/${contract.version}`
  throw new OperationsError(
    'OPERATIONS_EDIT_REFUSED',
    `its key would be ${JSON.stringify(key)} in place of ${JSON.stringify(letter.key)}, another message; publish that anew`,
  )
}

/** The contract of a letter's type in the version that it was written in; undefined where nobody said it, so that nothing can be checked by it. */
async function saidOf(mesh: Mesh, letter: WholeLetter): Promise<KnownContract | undefined> {
  const headers = receivedHeaders(letter.headers.map(([name, value]) => [name, [value]]))
  const version = Number(/\/(\d+)$/.exec(headers[HEADER.dataSchema] ?? '/1')?.[1])
  const said = await readSaid(mesh).catch((error: unknown) => {
    if (error instanceof OperationsError && error.code === 'OPERATIONS_NO_CONTRACTS') return []
    throw error
  })
  return knownContracts(said).find((one) => one.type === letter.type && one.version === version)
}
