import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Mesh } from '@malha/mesh'
import { openOperations, type Operations } from '@malha/operations'
import { cacheFolder } from '../system/cache-folder.ts'
import { say } from '../view/say.ts'

const SAY_EVERY = 50_000

/** Where the index of letters is kept from one call to the next, one a server and namespace. */
export function indexFileOf({ nats, names }: Mesh): string {
  const name = createHash('sha256')
    .update(JSON.stringify([nats.getServer(), names.namespace]))
    .digest('hex')
    .slice(0, 16)
  return join(cacheFolder(process.env), 'letters', `${name}.sqlite`)
}

/** With an index of letters that is kept from one call to the next, and brought up to date. */
export async function openIndexed(mesh: Mesh): Promise<Operations> {
  const operations = await openOperations(mesh, { indexFile: indexFileOf(mesh) })
  let told = 0
  await operations.letters.refresh((until) => {
    if (until - told < SAY_EVERY) return
    told = until
    say(`reading letters: up to ${until}; the next time only what is new`)
  })
  return operations
}
