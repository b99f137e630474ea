import type { NatsConnection } from '@nats-io/transport-node'
import { covers } from '../../message/contract.ts'

/**
 * Why an event found no stream: `passing` (no leader yet, or nobody who would say), `no-stream` (there is none of that
 * name), `no-subject` (it is there and does not hold the subject).
 */
export type Placelessness = 'passing' | 'no-stream' | 'no-subject'

const ASK_MS = 2000
const STREAM_MISSING = 10059

type InfoReply = { config?: { subjects?: string[] }; error?: { err_code?: number } }

/** Asks the server, because its answer to the publish is the same for all three. */
export async function placelessness(
  nc: NatsConnection,
  { stream, subject }: { stream: string; subject: string },
  timeoutMs: number = ASK_MS,
): Promise<Placelessness> {
  try {
    const answer = await nc.request(`$JS.API.STREAM.INFO.${stream}`, undefined, { timeout: timeoutMs })
    const { config, error } = answer.json<InfoReply>()
    if (error?.err_code === STREAM_MISSING) return 'no-stream'
    const isHeld = config?.subjects?.some((pattern) => covers(pattern, subject)) ?? true
    return isHeld ? 'passing' : 'no-subject'
  } catch {
    return 'passing'
  }
}
