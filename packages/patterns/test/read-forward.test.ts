import type { Mesh } from '@malha/mesh'
import { expect, test } from 'vitest'
import { readForward, whole } from '../src/store/read-forward.ts'

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

test('a stretch that ends before its last message is an error: who was asked may lack the end', async () => {
  const none = { json: () => ({ error: { code: 404, description: 'no message found' } }) }
  const mesh = { nats: { request: () => Promise.resolve(none) } } as unknown as Mesh
  const stretch = { stream: 'S', subjects: 'a', from: 1, to: 3 }
  await expect(Array.fromAsync(readForward(mesh, stretch))).rejects.toMatchObject({
    code: 'PATTERNS_STORE_UNAVAILABLE',
  })
  expect(await Array.fromAsync(readForward(mesh, { ...stretch, from: 4 }))).toEqual([])
})
