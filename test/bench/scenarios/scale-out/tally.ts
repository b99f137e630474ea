import type { NatsConnection } from '@nats-io/transport-node'

/** What all processes of a variant did together in one round. */
export interface Tally {
  /** Order `n` is handled. */
  add(n: number): void
  /** Resolves when all of them together handled so many. @throws Error when one was handled twice, and another not at all */
  readonly done: Promise<void>
  close(): void
}

export type TallyOptions = {
  /** One a round, the same in all processes. */
  subject: string
  /** Numbered from 0. */
  messages: number
}

/** How often a process tells the others: seldom enough to cost nothing, and a fraction of a round late. */
const TELL_MS = 5

/** Adds up over core NATS how many orders were handled, and their numbers, which tell whether each was handled once. */
export async function tallyOf(nc: NatsConnection, { subject, messages }: TallyOptions): Promise<Tally> {
  const done = Promise.withResolvers<void>()
  const own = { count: 0, sum: 0 }
  const all = { count: 0, sum: 0 }
  const sub = nc.subscribe(subject, {
    callback(error, msg) {
      if (error) return
      const [count = 0, sum = 0] = msg.string().split(' ').map(Number)
      all.count += count
      all.sum += sum
      if (all.count < messages) return
      if (all.count === messages && all.sum === (messages * (messages - 1)) / 2) done.resolve()
      else done.reject(new Error(`${all.count} handled of ${messages}, and not each of them once`))
    },
  })
  const timer = setInterval(() => {
    if (own.count === 0) return
    nc.publish(subject, `${own.count} ${own.sum}`)
    own.count = own.sum = 0
  }, TELL_MS)
  await nc.flush()
  return {
    add(n) {
      own.count++
      own.sum += n
    },
    done: done.promise,
    close() {
      clearInterval(timer)
      sub.unsubscribe()
    },
  }
}
