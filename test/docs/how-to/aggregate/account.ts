// #region events
import { type Contract, days, event, Reject, stream } from '@malha/mesh'
import { aggregate, type AggregateDef } from '@malha/patterns'
import { z } from 'zod'

export const accounts = stream('ACCOUNTS', { subjects: ['account.>'], maxAgeMs: days(3650) })
const Opened = z.object({ accountId: z.string(), limitCents: z.int() })
const Moved = z.object({ accountId: z.string(), cents: z.int() })
const base = { stream: accounts, key: ({ accountId }: { accountId: string }) => accountId }

export const accountOpened: Contract<z.infer<typeof Opened>> = event('account.opened', { ...base, schema: Opened })
export const moneyAdded: Contract<z.infer<typeof Moved>> = event('account.money-added', { ...base, schema: Moved })
export const moneyTaken: Contract<z.infer<typeof Moved>> = event('account.money-taken', { ...base, schema: Moved })
// #endregion

// #region aggregate
export type Account = { id: string; cents: number; limitCents: number } | undefined
export type AccountCommand =
  | { kind: 'open'; accountId: string; limitCents: number }
  | { kind: 'add' | 'take'; cents: number }

const events = { opened: accountOpened, added: moneyAdded, taken: moneyTaken }

export const account: AggregateDef<Account, AccountCommand, typeof events> = aggregate('account', {
  events,
  initial: (): Account => undefined,
  decide(state, command: AccountCommand) {
    if (command.kind === 'open') {
      if (state) throw new Reject('the account is open already')
      return [{ type: 'opened', data: { accountId: command.accountId, limitCents: command.limitCents } }]
    }
    if (!state) throw new Reject('there is no such account')
    const data = { accountId: state.id, cents: command.cents }
    if (command.kind === 'add') return [{ type: 'added', data }]
    if (state.cents - command.cents < -state.limitCents) throw new Reject('that is more than there is')
    return [{ type: 'taken', data }]
  },
  evolve(state, { type, data }) {
    if (type === 'opened') return { id: data.accountId, cents: 0, limitCents: data.limitCents }
    return state && { ...state, cents: state.cents + (type === 'added' ? data.cents : -data.cents) }
  },
})
// #endregion
