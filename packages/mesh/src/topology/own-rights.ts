import type { NatsConnection } from '@nats-io/transport-node'
import type { ConnectionWatch } from '../lifecycle/connection-watch.ts'
import { deniedSubject, unheardSubject } from './api-errors.ts'
import { contains, overlap } from './subject-overlap.ts'

/** Where the server tells a user its own rights (nats-server 2.10). */
export const USER_INFO = '$SYS.REQ.USER.INFO'

/** Patterns of subjects; without `allow` all are allowed. */
export type Rights = { readonly allow?: readonly string[]; readonly deny?: readonly string[] }

/** A user as the server knows it. */
export type UserInfo = {
  readonly user?: string
  readonly account?: string
  readonly permissions?: { readonly publish?: Rights; readonly subscribe?: Rights }
}

/** Asks the server who this user is, and what it may do: nothing is tried. Needs to publish on `$SYS.REQ.USER.INFO`. */
export async function askUserInfo(nc: NatsConnection, timeoutMs: number): Promise<UserInfo> {
  const answer = await nc.request(USER_INFO, '', { timeout: timeoutMs })
  return answer.json<{ data?: UserInfo }>().data ?? {}
}

/** Whether a subject, or all that a pattern matches, is allowed: where a part of it is denied, it is not. */
export function allows({ allow = [], deny = [] }: Rights, subject: string): boolean {
  const isAllowed = allow.length === 0 || allow.some((pattern) => contains(pattern, subject))
  return isAllowed && !deny.some((pattern) => overlap(pattern, subject))
}

/** Whether nothing that a pattern matches is allowed, for certain: rights to a part of it may be all that is used. */
export function refuses({ allow = [], deny = [] }: Rights, subject: string): boolean {
  const isAllowed = allow.length === 0 || allow.some((pattern) => overlap(pattern, subject))
  return !isAllowed || deny.some((pattern) => contains(pattern, subject))
}

const ASK_MS = 2000
/** So often in a row without an answer, and nothing tells it here. */
const MOST_UNANSWERED = 3

/**
 * On what this user may publish. Whoever may not ask, or has a server that does not tell, may publish on everything, as far as
 * one knows; undefined while the server does not answer.
 */
export type OwnRights = {
  /** As the server last said; asked once a connection, for whoever disconnects may have other rights afterwards. Never rejects. */
  known(): Promise<Rights | undefined>
  /** Asks again: a server that is told of other rights gives them to whoever is connected, and says nothing. Never rejects. */
  ask(): Promise<Rights | undefined>
}

/** The rights of the user of a connection. Whoever makes this listens before those who look at them when it is up again. */
export function ownRights(nc: NatsConnection, connection: ConnectionWatch): OwnRights {
  let asked: Promise<Rights | undefined> | undefined
  let unanswered = 0
  connection.listen({
    up() {
      asked = undefined
      unanswered = 0
    },
  })
  const ask = async (): Promise<Rights | undefined> => {
    const asking = publishRights(nc)
    asked = asking
    const rights = await asking
    if (rights !== undefined) unanswered = 0
    if (rights !== undefined || asked !== asking) return rights
    unanswered += 1
    asked = unanswered < MOST_UNANSWERED ? undefined : Promise.resolve({})
    return await asked
  }
  return { known: () => asked ?? ask(), ask }
}

async function publishRights(nc: NatsConnection): Promise<Rights | undefined> {
  try {
    const { permissions } = await askUserInfo(nc, ASK_MS)
    return permissions?.publish ?? {}
  } catch (error) {
    const isTold = deniedSubject(error) !== undefined || unheardSubject(error) !== undefined
    return isTold ? {} : undefined
  }
}
