import { eventually, type TestMesh, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { parseAckSubject } from '../../../src/consume/ack-subject.ts'
import { Feed, type FeedOptions } from '../../../src/consume/ordered/feed.ts'
import { watchConnection } from '../../../src/lifecycle/connection-watch.ts'
import { answering, groundFor, store, streamOf } from './one-partition.ts'

/** The feed of the first partition from its beginning. */
function firstPartition(t: TestMesh): Omit<FeedOptions, 'onEvent'> {
  return {
    nc: t.nats,
    connection: watchConnection(t.nats),
    inboxPrefix: undefined,
    stream: streamOf(t),
    filter: `${t.namespace}.0.*`,
    name: 'feed',
    after: 0,
    limit: 8,
    beforeOpen: () => Promise.resolve(),
  }
}

test('an event that could not be taken is brought again, and none after it before', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, ['a', 'b', 'c'])
  const brought: number[] = []
  let refused = 0
  const feed = new Feed({
    ...firstPartition(t),
    onEvent: (msg) => {
      const { streamSeq } = parseAckSubject(msg.reply ?? '')!
      if (streamSeq === 2 && refused++ === 0) throw new Error('not this time')
      brought.push(streamSeq)
    },
  })
  await eventually(() => expect(brought).toEqual([1, 2, 3]))
  feed.stop()
})

test('a consumer that cannot be made for a while is asked for every quarter of a second, so that an election costs no more', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, ['a'])
  const askedAt: number[] = []
  const nc = answering(t.nats, (subject, answer) => {
    if (!subject.includes('CONSUMER.CREATE')) return answer
    return askedAt.push(performance.now()) > 8 ? answer : { error: { code: 503 } }
  })
  const brought: number[] = []
  const feed = new Feed({
    ...firstPartition(t),
    nc,
    onEvent: (msg) => brought.push(parseAckSubject(msg.reply ?? '')!.streamSeq),
  })
  await eventually(() => expect(brought).toEqual([1]), { timeoutMs: 30_000 })
  feed.stop()
  const gaps = askedAt.slice(1).map((at, index) => at - askedAt[index]!)
  // The shortest of many, so that a busy machine does not count.
  expect(Math.min(...gaps.slice(-4))).toBeLessThan(1000)
})
