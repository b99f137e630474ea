import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { parseAckSubject } from '../../../src/consume/ack-subject.ts'
import { Feed } from '../../../src/consume/ordered/feed.ts'
import { watchConnection } from '../../../src/lifecycle/connection-watch.ts'
import { groundFor, store, streamOf } from './one-partition.ts'

test('an event that could not be taken is brought again, and none after it before', async () => {
  await using t = await testMesh()
  await groundFor(t)
  await store(t, ['a', 'b', 'c'])
  const brought: number[] = []
  let refused = 0
  const feed = new Feed({
    nc: t.nats,
    connection: watchConnection(t.nats),
    inboxPrefix: undefined,
    stream: streamOf(t),
    filter: `${t.namespace}.0.*`,
    name: 'feed',
    after: 0,
    limit: 8,
    beforeOpen: () => Promise.resolve(),
    onEvent: (msg) => {
      const { streamSeq } = parseAckSubject(msg.reply ?? '')!
      if (streamSeq === 2 && refused++ === 0) throw new Error('not this time')
      brought.push(streamSeq)
    },
  })
  await eventually(() => expect(brought).toEqual([1, 2, 3]))
  feed.stop()
})
