import { eventually, specification, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { shelves, stockMoved, warehouse } from './stock-moves.ts'

test('a product is counted in the order of its moves, and an overtaken owner writes nothing, as the page shows', async () => {
  await using env = await testMesh()
  const store = shelves()
  await env.mesh.start(warehouse(store))
  for (const pieces of [5, -3, 4, -6]) await env.mesh.publish(stockMoved, { product: 'p-1', pieces })
  await eventually(() => expect(store.get('p-1').by).toBeGreaterThan(0))
  await eventually(() => expect(store.get('p-1').pieces).toBe(0))
  const { by, upTo } = store.get('p-1')
  expect(upTo).toBe(4)
  expect(() => store.put('p-1', { pieces: 9, upTo, by: by - 1 })).toThrow('later owner')
  store.put('p-1', { pieces: 9, upTo, by: by + 1 })
})

test('a move that is handled again is counted once, as the page shows', async () => {
  const store = shelves()
  const { count } = warehouse(store).handlers
  for (const seq of [1, 2, 2])
    await specification(count).given({ source: { seq } }).when({ product: 'p-1', pieces: 5 }).then({ published: [] })
  expect(store.get('p-1').pieces).toBe(10)
})
