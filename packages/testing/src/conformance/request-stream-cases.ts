import assert from 'node:assert/strict'
import { reply, request } from '@malha/mesh'
import { z } from 'zod'
import { eventually } from '../eventually.ts'
import { type Case, promise } from './case.ts'
import { refused } from './kit.ts'
import { known, withReply } from './request-kit.ts'

const count = request('number.count', {
  schema: z.object({ upTo: z.number() }),
  reply: z.number(),
  streaming: true,
})

const streamed: Case = promise(
  'a stream of replies comes whole and in order, and ends early when it is left',
  async (env) => {
    let ended = 0
    const answer = reply(count, async function* ({ upTo }) {
      try {
        for (let n = 1; n <= upTo; n++) yield n
      } finally {
        ended++
      }
    })
    await (await env.mesh()).start(withReply({ answer }))
    const asker = await env.mesh()
    const got: number[] = []
    for await (const n of asker.requestStream(count, { upTo: 500 }, { ...known, window: 16 })) got.push(n)
    assert.deepEqual(
      got,
      Array.from({ length: 500 }, (_, n) => n + 1),
    )
    for await (const n of asker.requestStream(count, { upTo: 10_000_000 }, known)) if (n === 100) break
    await eventually(() => assert.equal(ended, 2))
  },
)

const brokenStream: Case = promise(
  'a stream whose responder is gone is an error, never a short answer',
  async (env) => {
    const responder = await env.mesh()
    const answer = reply(count, async function* (_, ctx) {
      yield 1
      yield 2
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
    })
    await responder.start(withReply({ answer }))
    const got: number[] = []
    const read = async (): Promise<void> => {
      for await (const n of (await env.mesh()).requestStream(count, { upTo: 5 }, { ...known, idleMs: 3000 })) {
        got.push(n)
        if (n === 2) await responder.nats.close()
      }
    }
    await refused(read(), 'MESH_REPLY_BROKEN')
    assert.deepEqual(got, [1, 2])
  },
)

const turns: Case = promise(
  'a stream asked of a busy responder comes when there is room, and whose turn does not come is told it was not begun',
  async (env) => {
    const gate = Promise.withResolvers<void>()
    const begun: number[] = []
    const answer = reply(count, { concurrency: 1, waiting: 1, timeoutMs: 500 }, async function* ({ upTo }) {
      begun.push(upTo)
      if (upTo === 1) await gate.promise
      yield upTo
    })
    await (await env.mesh()).start(withReply({ answer }))
    const asker = await env.mesh()
    const first = refused(asker.requestStream(count, { upTo: 1 }, known).next(), 'MESH_REQUEST_FAILED')
    await eventually(() => assert.deepEqual(begun, [1]))
    await refused(asker.requestStream(count, { upTo: 2 }).next(), 'MESH_BUSY')
    await first
    const third = asker.requestStream(count, { upTo: 3 }, known)
    const part = third.next()
    gate.resolve()
    assert.equal((await part).value, 3)
    assert.deepEqual(begun, [1, 3])
    await third.return()
  },
)

export const requestStreamCases: readonly Case[] = [streamed, brokenStream, turns]
