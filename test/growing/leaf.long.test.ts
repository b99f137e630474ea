import { test } from 'vitest'
import { joinedByALeafNode } from './leaf.ts'
import { expectAllAtTheEdge, sourced } from './sourced.ts'

test('an edge that lost its hub, which was killed, gets what it missed: each event once, in the order of keys', async () => {
  await using joined = await joinedByALeafNode()
  const { hub } = joined
  await expectAllAtTheEdge(await sourced(joined), {
    async between() {
      await hub.kill()
      await hub.start()
    },
  })
})
