import { expect, test } from 'vitest'
import { publishMs } from '../../src/publish/check-publish.ts'

test('a publish is tried for 1 ms to a day; anything else is refused with what was asked for', () => {
  expect(publishMs('order.placed', undefined)).toBe(30_000)
  expect(publishMs('order.placed', 60)).toBe(60)
  expect(publishMs('order.placed', 86_400_000)).toBe(86_400_000)
  // What is longer than a timer of this runtime takes would end at once.
  for (const wrong of [0, -1, Number.NaN, Infinity, 2 ** 31])
    expect(() => publishMs('order.placed', wrong)).toThrow(
      expect.objectContaining({
        code: 'MESH_INVALID_OPTIONS',
        message: expect.stringContaining(`timeoutMs is ${wrong}`) as string,
      }),
    )
})
