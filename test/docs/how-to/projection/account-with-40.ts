import type { Mesh } from '@malha/mesh'
import { openAggregate } from '@malha/patterns'
import { account } from '../aggregate/account.ts'
import { teller } from '../aggregate/service.ts'

/** Opens the account `a-1`, adds 70 cents to it and takes 30. */
export async function accountWith40(mesh: Mesh): Promise<void> {
  await mesh.provision(await teller(mesh))
  const accounts = await openAggregate(mesh, account)
  await accounts.execute('a-1', { kind: 'open', accountId: 'a-1', limitCents: 0 })
  await accounts.execute('a-1', { kind: 'add', cents: 70 })
  await accounts.execute('a-1', { kind: 'take', cents: 30 })
}
