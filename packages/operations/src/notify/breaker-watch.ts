import { breakerChanged, type DirectMessage, isHandlerName, isServiceName, type Mesh } from '@malha/mesh'
import type { ListedHandler } from '../handlers/list.ts'
import { readOn, streamNow } from '../read/read-on.ts'
import type { Condition } from './notice.ts'

/** A handler with a breaker that is not closed: since when the first one is, by the server's clock, and in which processes. */
type OpenBreaker = { service: string; handler: string; sinceMs: number; instances: Set<string> }

const STATES: ReadonlySet<string> = new Set(['open', 'half-open', 'closed'])
const LONGEST_NAME = 200

/** Follows what processes say of their breakers, from the beginning of the stream `MESH`. No consumer is made. */
export class BreakerWatch {
  readonly #mesh: Mesh
  readonly #open = new Map<string, OpenBreaker>()
  #life: string | undefined
  #until = 0

  constructor(mesh: Mesh) {
    this.#mesh = mesh
  }

  /** Reads what is new. */
  async read(): Promise<void> {
    const now = await streamNow(this.#mesh, this.#mesh.names.stream(breakerChanged.stream))
    if (!now) return
    if (now.life !== this.#life || this.#until > now.info.state.last_seq) {
      this.#life = now.life
      this.#open.clear()
      this.#until = 0
    }
    await readOn(this.#mesh, now, {
      after: this.#until,
      filter: this.#mesh.names.subject(breakerChanged.type),
      read: (message) => message,
      onBatch: (messages, until) => {
        for (const message of messages) this.#take(message)
        this.#until = until
      },
    })
  }

  /**
   * Breakers that are open for so long at least. An episode ends when no process has it open any more; one that died with an open breaker
   * cannot say that, so those that run are believed where any answered.
   */
  openFor(
    leastMs: number,
    { nowMs, handlers }: { nowMs: number; handlers: readonly Pick<ListedHandler, 'service' | 'handler' | 'breaker'>[] },
  ): Condition[] {
    const closed = new Set(
      handlers
        .filter(({ breaker }) => breaker?.state === 'closed')
        .map(({ service, handler }) => `${service}.${handler}`),
    )
    return [...this.#open.values()]
      .filter(({ service, handler, sinceMs }) => nowMs - sinceMs >= leastMs && !closed.has(`${service}.${handler}`))
      .map(({ service, handler, sinceMs, instances }) => {
        const since = new Date(sinceMs).toISOString()
        return {
          notice: { kind: 'breaker', service, handler, since, instances: [...instances] },
          episode: since,
          level: 1,
        }
      })
  }

  #take({ data, timestamp }: DirectMessage): void {
    const change = changeIn(data)
    if (!change) return
    const { service, handler, instance, state } = change
    const key = `${service}.${handler}`
    const known = this.#open.get(key)
    if (state === 'closed') {
      known?.instances.delete(instance)
      if (known?.instances.size === 0) this.#open.delete(key)
    } else if (known) known.instances.add(instance)
    else this.#open.set(key, { service, handler, sinceMs: Date.parse(timestamp), instances: new Set([instance]) })
  }
}

type Change = { service: string; handler: string; instance: string; state: string }

/** Whoever may publish there may write anything. */
function changeIn(data: Uint8Array): Change | undefined {
  try {
    const change = JSON.parse(Buffer.from(data).toString()) as Change
    const isKnown = isServiceName(change.service) && isHandlerName(change.handler) && STATES.has(change.state)
    return isKnown && typeof change.instance === 'string'
      ? { ...change, instance: change.instance.slice(0, LONGEST_NAME) }
      : undefined
  } catch {
    return undefined
  }
}
