import type { NatsConnection } from '@nats-io/transport-node'
import { contains, overlap } from './subject-overlap.ts'

/** Where the server tells a user its own rights (nats-server 2.10). */
export const USER_INFO = '$SYS.REQ.USER.INFO'
const ASK_MS = 2000

type Rights = { allow?: string[]; deny?: string[] }

/** Whether this user may publish on a subject, as the server tells it: nothing is tried. Where it does not tell, it may be. */
export async function mayPublish(nc: NatsConnection, subject: string): Promise<boolean> {
  try {
    const answer = await nc.request(USER_INFO, '', { timeout: ASK_MS })
    const { data } = answer.json<{ data?: { permissions?: { publish?: Rights } } }>()
    const { allow, deny } = data?.permissions?.publish ?? {}
    const isAllowed = allow === undefined || allow.length === 0 || allow.some((pattern) => contains(pattern, subject))
    return isAllowed && !(deny ?? []).some((pattern) => overlap(pattern, subject))
  } catch {
    return true
  }
}
