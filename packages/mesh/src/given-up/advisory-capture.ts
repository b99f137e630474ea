import {
  AckPolicy,
  DeliverPolicy,
  type JetStreamClient,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream'
import { nanos, type NatsConnection } from '@nats-io/transport-node'
import type { Logger } from '../observe/logger.ts'
import { apiSentence } from '../topology/api-errors.ts'
import { ADVISORIES, type Names } from '../topology/names.ts'
import { FORMAT } from '../topology/system.ts'
import { provisionAdvisories } from './advisory-stream.ts'
import { advisorySubject } from './advisory.ts'
import type { OwnStreams } from './own-durables.ts'

type Deps = { nc: NatsConnection; names: Names; log: Logger }

/** As long as a leader may take for one; longer, and it is read again. */
const ACK_WAIT_MS = 30_000
const AT_ONCE = 100

/** The stream of what the server told, and who reads it. Both are made by the leader, and missed by nobody: it looks, too. */
export class AdvisoryCapture {
  readonly #deps: Deps
  readonly #js: JetStreamClient
  #fault: string | undefined
  #isReady = false

  constructor(deps: Deps) {
    this.#deps = deps
    this.#js = jetstream(deps.nc)
  }

  /** Has it take what is told of all these streams. Never throws; why it does not is logged once. */
  async ensure({ streams, advisories, letters }: OwnStreams): Promise<void> {
    const { nc, names, log } = this.#deps
    const has = advisories?.config.subjects ?? []
    const wanted = streams.map(({ config }) => advisorySubject(config.name))
    const isComplete = advisories !== undefined && wanted.every((subject) => has.includes(subject))
    if (isComplete && this.#isReady) return
    try {
      const subjects = [...new Set([...has, ...wanted])]
      if (!isComplete && wanted.length > 0)
        await provisionAdvisories(nc, names, { subjects, replicas: letters?.config.num_replicas, log })
      await this.#ensureDurable()
      this.#isReady = true
      this.#fault = undefined
    } catch (error) {
      this.#isReady = advisories !== undefined && this.#isReady
      this.#sayFault(apiSentence(error))
    }
  }

  /** Gives what was told and nobody acted upon, as it comes, until `ms` are over or `signal` aborts. */
  async hear(
    onTold: (message: JsMsg) => Promise<void>,
    { ms, signal }: { ms: number; signal: AbortSignal },
  ): Promise<boolean> {
    if (!this.#isReady || signal.aborted) return false
    const { names } = this.#deps
    try {
      const consumer = await this.#js.consumers.get(names.stream(ADVISORIES), durableOf(names))
      const messages = await consumer.fetch({ max_messages: AT_ONCE, expires: Math.max(1000, ms) })
      const stop = (): void => messages.stop()
      signal.addEventListener('abort', stop, { once: true })
      try {
        for await (const message of messages) {
          if (signal.aborted) break
          await onTold(message)
        }
      } finally {
        signal.removeEventListener('abort', stop)
      }
      return true
    } catch (error) {
      this.#isReady = false
      if (!signal.aborted) this.#sayFault(apiSentence(error))
      return false
    }
  }

  async #ensureDurable(): Promise<void> {
    const { nc, names } = this.#deps
    const jsm = await jetstreamManager(nc, { checkAPI: false })
    await jsm.consumers.add(names.stream(ADVISORIES), {
      durable_name: durableOf(names),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ACK_WAIT_MS),
      max_deliver: -1,
      metadata: { 'malha.format': FORMAT },
    })
  }

  #sayFault(why: string): void {
    if (why === this.#fault) return
    this.#fault = why
    const stream = this.#deps.names.stream(ADVISORIES)
    this.#deps.log.warn(
      { stream, why },
      'what the server tells of messages that it gives up is not captured; they are found by looking, a little later',
    )
  }
}

const durableOf = (names: Names): string => names.durable('malha', 'advisories')
