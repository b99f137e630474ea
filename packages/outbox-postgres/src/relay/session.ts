import type { PgClient, PgPool, PgResult } from '../postgres.ts'
import type { OutboxNames } from '../schema/names.ts'

export type SessionOptions = {
  readonly names: OutboxNames
  /** Silence after which PostgreSQL ends the session, and with it its locks, ms. */
  readonly sessionMs: number
  /** Hears the names of streams that got a row. */
  readonly onNotify: (stream: string) => void
  /** Hears once that the connection is gone. */
  readonly onLost: (reason: Error) => void
}

/**
 * The one connection a relay works on: it listens, holds the locks of its partitions, and every claim is made on it, so
 * that nothing is claimed once the locks are gone. PostgreSQL ends it when a relay that is stopped or cut off has been
 * silent for `sessionMs`; the relay itself stops trusting it at half of that.
 */
export class Session {
  readonly #client: PgClient
  readonly #options: SessionOptions
  #isLost = false
  #lastContact = performance.now()

  private constructor(client: PgClient, options: SessionOptions) {
    this.#client = client
    this.#options = options
    client.on('error', (error) => this.#lose(error))
    client.on('end', () => this.#lose(new Error('PostgreSQL closed the connection')))
    client.on('notification', ({ payload = '' }) => options.onNotify(payload))
  }

  static async open(pool: PgPool, options: SessionOptions): Promise<Session> {
    const session = new Session(await connectWithin(pool, options.sessionMs / 2), options)
    try {
      // A session that waits to be rid of a result is not idle: that TCP brings nothing across for so long ends it then.
      // All its statements are short and go by an index. What PostgreSQL knows of a table that fills and empties is often
      // wrong; and what it holds for expensive it would compile first.
      await session.query(
        `SET idle_session_timeout = ${options.sessionMs}; SET tcp_user_timeout = ${options.sessionMs}; SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off`,
      )
      await session.query(`LISTEN ${options.names.channel}`)
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** Whether its locks are certainly still held. */
  get isSure(): boolean {
    return !this.#isLost && performance.now() - this.#lastContact < this.#options.sessionMs / 2
  }

  /** @throws Error also when no answer came in time; the session is lost then */
  async query(text: string, values?: unknown[]): Promise<PgResult> {
    const asked = performance.now()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new Error(`PostgreSQL gave no answer within ${this.#options.sessionMs / 2} ms`)
        this.#lose(error)
        reject(error)
      }, this.#options.sessionMs / 2)
    })
    try {
      const result = await Promise.race([this.#client.query(text, values), late])
      this.#lastContact = asked
      return result
    } finally {
      clearTimeout(timer)
    }
  }

  /** Closes the connection: with its settings and locks it is of no use to others. */
  close(): void {
    this.#isLost = true
    this.#client.release(true)
  }

  #lose(reason: Error): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#options.onLost(reason)
  }
}

/** pg waits for ever unless its pool says otherwise. A connection that comes too late goes back. */
async function connectWithin(pool: PgPool, ms: number): Promise<PgClient> {
  const connecting = pool.connect()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the pool gave no connection within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([connecting, late])
  } catch (error) {
    connecting.then(
      (client) => client.release(),
      () => undefined,
    )
    throw error
  } finally {
    clearTimeout(timer)
  }
}
