import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { monotonicUs } from '../measure.ts'

/** Whose leader is meant: the stream's, or that of a durable of it. */
export type Led = { stream: string; durable?: string }

type Info = {
  cluster?: { leader?: string; replicas?: { current: boolean; offline?: boolean }[] }
  error?: { description: string }
}

/** Somebody who looks at the leaders from outside, and moves them. */
export interface Observer {
  leaderOf(led: Led): Promise<string | undefined>
  /** Has the leader hand over to a server, if it is not there already; resolves when it is. */
  move(led: Led, to: string): Promise<void>
  /** Resolves with the moment, µs, at which another server than that answers as the leader. */
  anotherThan(led: Led, leader: string): Promise<number>
  /** Resolves when every replica has all there is. */
  untilCurrent(led: Led): Promise<void>
}

const POLL_MS = 20
const ANSWER_MS = 500
const MOVED_MS = 15_000

/** Sees what the servers say that the connection reaches. */
export function observe(nc: NatsConnection): Observer {
  const info = (led: Led): Promise<Info> => ask(nc, `${kindOf(led)}.INFO.${nameOf(led)}`)
  const leaderOf = async (led: Led): Promise<string | undefined> => (await info(led).catch(nothing))?.cluster?.leader
  return {
    leaderOf,
    async move(led, to) {
      for (const deadline = performance.now() + MOVED_MS; (await leaderOf(led)) !== to; await sleep(POLL_MS * 10)) {
        if (performance.now() > deadline) throw new Error(`${nameOf(led)} is not led by ${to} after ${MOVED_MS} ms`)
        await ask(nc, `${kindOf(led)}.LEADER.STEPDOWN.${nameOf(led)}`, { placement: { preferred: to } }).catch(nothing)
      }
    },
    /** Asks again and again without waiting for an answer: while nobody leads there is none. */
    async anotherThan(led, leader) {
      const found = Promise.withResolvers<number>()
      const look = async (): Promise<void> => {
        const now = await leaderOf(led)
        if (now !== undefined && now !== '' && now !== leader) found.resolve(monotonicUs())
      }
      const timer = setInterval(() => void look(), POLL_MS)
      try {
        return await found.promise
      } finally {
        clearInterval(timer)
      }
    },
    async untilCurrent(led) {
      for (;;) {
        const { leader, replicas = [] } = (await info(led).catch(nothing))?.cluster ?? {}
        if (leader && replicas.length === 2 && replicas.every(({ current, offline }) => current && !offline)) return
        await sleep(POLL_MS * 10)
      }
    },
  }
}

/**
 * Moves the leader to the server that the connection is at, on a cluster. Where a leader happens to be costs more than what
 * variants differ by: an answer from another server takes a way through two.
 */
export async function leadHere(nc: NatsConnection, led: Led): Promise<void> {
  if (nc.info?.cluster !== undefined) await observe(nc).move(led, nc.info.server_name)
}

const kindOf = ({ durable }: Led): string => (durable === undefined ? 'STREAM' : 'CONSUMER')
const nameOf = ({ stream, durable }: Led): string => (durable === undefined ? stream : `${stream}.${durable}`)

async function ask(nc: NatsConnection, api: string, body?: object): Promise<Info> {
  const answer = await nc.request(`$JS.API.${api}`, body && JSON.stringify(body), { timeout: ANSWER_MS })
  const said = answer.json<Info>()
  if (said.error) throw new Error(`${api}: ${said.error.description}`)
  return said
}

/** No answer now. */
const nothing = (): undefined => undefined
