import { expect, test } from 'vitest'
import { eventually } from '../src/eventually.ts'

test('gives what the check returned once it neither throws nor returns false', async () => {
  const answers = [() => Promise.reject(new Error('not yet')), () => false as const, () => 'there']
  const found = await eventually(() => answers.shift()?.(), { intervalMs: 1 })
  expect(found).toBe('there')
  expect(answers).toHaveLength(0)
})

test('says how often it tried and what failed last', async () => {
  let n = 0
  const never = eventually(
    () => {
      n += 1
      throw new Error(`round ${n} of nothing`)
    },
    { timeoutMs: 30, intervalMs: 1 },
  )
  const error = await never.catch((caught: unknown) => caught as Error)
  expect(error.message).toBe(`not within 30 ms (${n} tries): round ${n} of nothing`)
  expect(error.stack).toContain('eventually.test.ts')
  expect(error.cause).toMatchObject({ message: `round ${n} of nothing` })
})

test('a check that hangs does not hang the test, and the failure before it is told', async () => {
  let n = 0
  const hanging = eventually(
    () => {
      n += 1
      if (n === 1) throw new Error('empty')
      return new Promise<never>(() => undefined)
    },
    { timeoutMs: 40, intervalMs: 1 },
  )
  await expect(hanging).rejects.toThrow('not within 40 ms (2 tries): empty')
})
