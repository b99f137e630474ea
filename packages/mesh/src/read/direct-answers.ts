import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { ownInbox } from '../lifecycle/own-inbox.ts'
import { type DirectMessage, type DirectStatus, readAnswer } from './direct-message.ts'

/** For a server to begin, and to answer again: an election takes up to nine seconds. */
const FIRST_MS = 5000
const SILENCE_MS = 15_000

export type DirectQueries = {
  stream: string
  queries: readonly object[]
  /** Each answer as it comes, to whichever query; true for the last. */
  take: (answer: DirectMessage | DirectStatus) => boolean
}

/**
 * Asks replicas of a stream (server 2.11): no consumer is made, and nothing on the server changes. The client's own way
 * (@nats-io/jetstream 3.4) parses the headers of each answer, a third of what a run takes, and its iterator leaves a
 * subscription behind for each batch.
 * @throws what `take` throws, what the server says, or that it says nothing
 */
export async function directAnswers(nats: NatsConnection, { stream, queries, take }: DirectQueries): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const isSilent = (): void => reject(new Error(`stream ${stream} did not answer a direct read in time`))
  let timer = setTimeout(isSilent, FIRST_MS)
  let isFirst = true
  const onMessage = (msg: Msg): void => {
    if (isFirst) {
      isFirst = false
      clearTimeout(timer)
      timer = setTimeout(isSilent, SILENCE_MS)
    } else timer.refresh()
    if (take(readAnswer(msg))) resolve()
  }
  const inbox = ownInbox(nats)
  const answers = nats.subscribe(inbox, {
    callback(error, msg) {
      try {
        if (error) throw error
        onMessage(msg)
      } catch (cause) {
        reject(cause)
      }
    },
  })
  for (const query of queries) nats.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query), { reply: inbox })
  try {
    await promise
  } finally {
    clearTimeout(timer)
    answers.unsubscribe()
  }
}
