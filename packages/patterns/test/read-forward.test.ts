import { expect, test } from 'vitest'
import { whole } from '../src/store/read-forward.ts'

async function* sent(...pairs: readonly (readonly [seq: number, lastSequence: number])[]) {
  for (const [seq, lastSequence] of pairs) yield await Promise.resolve({ seq, lastSequence })
}

const taken = async (batch: ReturnType<typeof sent>): Promise<number[]> =>
  (await Array.fromAsync(whole(batch))).map(({ seq }) => seq)

test('a batch is taken up to where a message is missing, whatever gaps its stream has', async () => {
  expect(await taken(sent([3, 0], [6, 3], [8, 6]))).toEqual([3, 6, 8])
  expect(await taken(sent([3, 0], [8, 6], [9, 8]))).toEqual([3])
  expect(await taken(sent([6, 3], [8, 6]))).toEqual([])
})
