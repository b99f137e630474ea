import { expect, test } from 'vitest'
import { z } from 'zod'
import { event, type HandlerContext, onBatch, stream } from '../../src/index.ts'
import { ATTEMPT, type AttemptOfContext } from '../../src/service/context.ts'

const jobs = stream('JOBS', { subjects: ['job.>'] })
const queued = event('job.queued', { stream: jobs, schema: z.object({ n: z.number() }) })

/** The right to a partition, and a context of a message there. */
function partition(): { at: (seq: number) => HandlerContext; doubt: () => void; sure: () => void; lose: () => void } {
  const end = new AbortController()
  let isSure = true
  let turn = Promise.withResolvers<void>()
  const claim = {
    partition: 0,
    fence: 1,
    lost: end.signal,
    get isSure() {
      return isSure
    },
    confirm: () => (isSure ? Promise.resolve() : turn.promise),
  }
  const attempt: AttemptOfContext = { forgetOutputs: () => undefined, isFlowing: () => true, claim }
  return {
    at: (seq) =>
      ({
        signal: end.signal,
        source: { stream: 'JOBS', epoch: 1, seq },
        [ATTEMPT]: attempt,
      }) as unknown as HandlerContext,
    doubt() {
      isSure = false
      turn = Promise.withResolvers<void>()
    },
    sure() {
      isSure = true
      turn.resolve()
    },
    lose() {
      isSure = false
      end.abort(new Error('lost'))
      turn.reject(end.signal.reason)
    },
  }
}

const turns = async (): Promise<void> => {
  for (let n = 0; n < 5; n++) await new Promise(setImmediate)
}

test('a batch whose messages joined in time is not called while their partition is in doubt', async () => {
  const calls: number[][] = []
  const bulk = onBatch(queued, { size: 2, order: 'none' }, (batch) => void calls.push(batch.map(({ data }) => data.n)))
  const own = partition()
  const first = bulk.handle({ n: 1 }, own.at(1))
  own.doubt()
  const second = bulk.handle({ n: 2 }, own.at(2))
  await turns()
  expect(calls).toEqual([])
  own.sure()
  await Promise.all([first, second])
  expect(calls).toEqual([[1, 2]])
})

test('messages whose partition is lost leave the batch, and it is called with the others', async () => {
  const calls: number[][] = []
  const bulk = onBatch(queued, { size: 2, order: 'none' }, (batch) => void calls.push(batch.map(({ data }) => data.n)))
  const [lost, kept] = [partition(), partition()]
  const first = bulk.handle({ n: 1 }, lost.at(1))
  lost.doubt()
  const second = bulk.handle({ n: 2 }, kept.at(2))
  await turns()
  expect(calls).toEqual([])
  lost.lose()
  await expect(first).rejects.toThrow('lost')
  await second
  expect(calls).toEqual([[2]])
})

test('what is called again message by message is looked at before each call', async () => {
  const calls: number[][] = []
  const own = partition()
  const bulk = onBatch(queued, { size: 3, order: 'none' }, (batch) => {
    calls.push(batch.map(({ data }) => data.n))
    if (batch.length > 1) throw new Error('one of them')
    own.doubt()
  })
  const all = Promise.allSettled([1, 2, 3].map(async (n) => await bulk.handle({ n }, own.at(n))))
  await turns()
  expect(calls).toEqual([[1, 2, 3], [1]])
  own.sure()
  await turns()
  expect(calls).toEqual([[1, 2, 3], [1], [2]])
  own.lose()
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  expect(calls).toHaveLength(3)
})
