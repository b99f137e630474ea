// #region projection
import { projection, type ProjectionDef } from '@malha/patterns'
import { accountOpened, moneyAdded, moneyTaken } from '../aggregate/account.ts'

const events = { opened: accountOpened, added: moneyAdded, taken: moneyTaken }
export type Balance = { cents: number; since: string }

export const balances: ProjectionDef<Balance, typeof events> = projection('balances', {
  version: 2,
  events,
  project(view: Balance | undefined, { type, data }, { at }) {
    const before = view ?? { cents: 0, since: at }
    if (type === 'opened') return before
    return { ...before, cents: before.cents + (type === 'added' ? data.cents : -data.cents) }
  },
})
// #endregion
