// #region given
import { given } from '@malha/patterns'
import { expect, test } from 'vitest'
import { account } from './account.ts'

const opened = { type: 'opened', data: { accountId: 'a-1', limitCents: 100 } } as const
const added = (cents: number) => ({ type: 'added', data: { accountId: 'a-1', cents } }) as const

test('money is taken up to the limit', () => {
  given(account, [opened, added(50)])
    .when({ kind: 'take', cents: 150 })
    .thenEvents([{ type: 'taken', data: { accountId: 'a-1', cents: 150 } }])
  given(account, [opened, added(50)])
    .when({ kind: 'take', cents: 151 })
    .thenRefused('more than there is')
})
// #endregion

test('a specification that does not hold says what was there instead', () => {
  const specified = given(account, [opened]).when({ kind: 'take', cents: 1 })
  expect(() => specified.thenEvents([])).toThrow('it led to other events')
  expect(() => specified.thenRefused('x')).toThrow('it was not refused')
  const refused = given(account, []).when({ kind: 'take', cents: 1 })
  expect(() => refused.thenEvents([])).toThrow('it was refused: MESH_REJECTED: there is no such account')
  expect(() => refused.thenRefused(/limit/)).toThrow('it was refused in other words')
  refused.thenRefused(/no such account/)
})
