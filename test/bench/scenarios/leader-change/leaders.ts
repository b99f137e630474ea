import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsNode } from '@malha/stack'
import type { NatsConnection } from '@nats-io/transport-node'
import { monotonicUs } from '../../measure.ts'
import { NAMESPACE } from '../../orders.ts'
import { connectPlain, ORDERS_STREAM } from '../../twins/connect.ts'

/** Both the mesh and the plain client give a variant's durable this name. */
export const HANDLER = 'watch'
export const durableOf = (variant: string): string => `${NAMESPACE}_${variant}_${HANDLER}`

/** Whose leader is meant: the stream's, or that of a durable of it. */
export type Led = { kind: 'STREAM' } | { kind: 'CONSUMER'; durable: string }

type Info = {
  cluster?: { leader?: string; replicas?: { current: boolean; offline?: boolean }[] }
  error?: { description: string }
}

/** Somebody who looks at the leaders from outside, and moves them. */
export interface Observer extends AsyncDisposable {
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

/** Connected to some servers of a cluster only. */
export async function observe(nodes: readonly NatsNode[]): Promise<Observer> {
  const nc = await connectPlain(nodes.map(({ url }) => url).join(','))
  const info = (led: Led): Promise<Info> => ask(nc, `${led.kind}.INFO.${nameOf(led)}`)
  const leaderOf = async (led: Led): Promise<string | undefined> => (await info(led).catch(nothing))?.cluster?.leader
  return {
    leaderOf,
    async move(led, to) {
      for (const deadline = performance.now() + MOVED_MS; (await leaderOf(led)) !== to; await sleep(POLL_MS * 10)) {
        if (performance.now() > deadline) throw new Error(`${nameOf(led)} is not led by ${to} after ${MOVED_MS} ms`)
        await ask(nc, `${led.kind}.LEADER.STEPDOWN.${nameOf(led)}`, { placement: { preferred: to } }).catch(nothing)
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
    [Symbol.asyncDispose]: () => nc.close(),
  }
}

const nameOf = (led: Led): string => (led.kind === 'STREAM' ? ORDERS_STREAM : `${ORDERS_STREAM}.${led.durable}`)

async function ask(nc: NatsConnection, api: string, body?: object): Promise<Info> {
  const answer = await nc.request(`$JS.API.${api}`, body && JSON.stringify(body), { timeout: ANSWER_MS })
  const said = answer.json<Info>()
  if (said.error) throw new Error(`${api}: ${said.error.description}`)
  return said
}

/** No answer now. */
const nothing = (): undefined => undefined
