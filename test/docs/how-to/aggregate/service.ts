import { command, type Contract, defineService, type Mesh, on, type ServiceDef, stream } from '@malha/mesh'
import { openAggregate } from '@malha/patterns'
import { z } from 'zod'
import { account } from './account.ts'

const tasks = stream('TELLER', { subjects: ['teller.>'] })
const Take = z.object({ accountId: z.string(), cents: z.int().positive() })
export const takeMoney: Contract<z.infer<typeof Take>> = command('teller.take-money', {
  stream: tasks,
  schema: Take,
  key: ({ accountId }) => accountId,
})

// #region service
export async function teller(mesh: Mesh): Promise<ServiceDef> {
  const accounts = await openAggregate(mesh, account, { snapshots: { every: 1 } })
  return defineService('teller', {
    publishes: accounts.publishes,
    handlers: {
      take: on(takeMoney, { startFrom: 'all' }, async ({ accountId, cents }, ctx) => {
        await accounts.execute(accountId, { kind: 'take', cents }, { id: ctx.id, correlationId: ctx.correlationId })
      }),
    },
  })
}
// #endregion
