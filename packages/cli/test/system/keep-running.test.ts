import { expect, test } from 'vitest'
import { keepRunning } from '../../src/system/keep-running.ts'

/** A part whose end the test decides. */
function parts(): { start: () => Promise<FakePart>; started: FakePart[] } {
  const started: FakePart[] = []
  return {
    started,
    async start() {
      const { promise, resolve } = Promise.withResolvers<void>()
      const part: FakePart = { exited: promise, die: resolve, stop: async () => resolve() }
      started.push(part)
      return part
    },
  }
}
type FakePart = { exited: Promise<void>; die: () => void; stop: () => Promise<void> }

test('a part that ends by itself is started again and the sentence says so', async () => {
  const { start, started } = parts()
  const said: string[] = []
  await using kept = await keepRunning('nats', start, (sentence) => said.push(sentence))
  started[0]!.die()
  await expect.poll(() => started.length).toBe(2)
  expect(said).toEqual(['nats died; it is started again in 0.25 s'])
  await expect.poll(() => kept.current).toBe(started[1])
})

test('a part that was stopped is not started again', async () => {
  const { start, started } = parts()
  const said: string[] = []
  const kept = await keepRunning('nats', start, (sentence) => said.push(sentence))
  await kept[Symbol.asyncDispose]()
  expect(started).toHaveLength(1)
  expect(said).toEqual([])
})

test('a part that somebody else runs, and that never ends, can still be let go of', async () => {
  const never = { exited: new Promise<void>(() => {}), stop: async () => {} }
  const kept = await keepRunning(
    'clickhouse',
    async () => never,
    () => {},
  )
  await kept[Symbol.asyncDispose]()
  expect(kept.current).toBe(never)
})
