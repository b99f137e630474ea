import { createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node'

/** A pull loop that runs. */
export interface LeanPull {
  /** Says that a message is done; all of one turn of the event loop go out in one write. */
  ack(msg: Msg): void
  stop(): void
}

export type LeanPullOptions = {
  stream: string
  durable: string
  /** Messages asked for at most; asked for again when half of them are left. */
  credits: number
  onMessage: (msg: Msg) => void
}

const ACK = new TextEncoder().encode('+ACK')
const EXPIRES_MS = 30_000
const AGAIN_MS = 100

/** The ceiling of what this client consumes: credits, answers in one write, and nothing else. */
export function leanPull(nc: NatsConnection, { stream, durable, credits, onMessage }: LeanPullOptions): LeanPull {
  const inbox = createInbox()
  const next = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`
  let asked = 0
  let stopped = false
  let done: string[] = []
  const pull = (): void => {
    const batch = credits - asked
    if (batch <= 0 || stopped) return
    asked += batch
    const request = { batch, expires: EXPIRES_MS * 1e6, idle_heartbeat: 15e9 }
    nc.publish(next, JSON.stringify(request), { reply: inbox })
  }
  const onStatus = (msg: Msg): void => {
    const code = msg.headers?.code ?? 0
    if (code === 100) return
    if (code === 409 || code === 503) {
      asked = 0
      setTimeout(pull, AGAIN_MS)
      return
    }
    asked = Math.max(0, asked - Number(msg.headers?.get('Nats-Pending-Messages') || 0))
    pull()
  }
  const sub = nc.subscribe(inbox, {
    callback(error, msg) {
      if (error) throw error
      if (msg.subject === inbox) {
        onStatus(msg)
        return
      }
      if (asked > 0) asked--
      if (asked <= credits / 2) pull()
      onMessage(msg)
    },
  })
  const sendAcks = (): void => {
    const replies = done
    done = []
    for (const reply of replies) nc.publish(reply, ACK)
  }
  pull()
  return {
    ack(msg) {
      if (done.length === 0) setImmediate(sendAcks)
      done.push(msg.reply!)
    },
    stop() {
      stopped = true
      sub.unsubscribe()
    },
  }
}
