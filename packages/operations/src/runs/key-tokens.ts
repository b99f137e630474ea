import type { Mesh, RunMessage } from '@malha/mesh'
import type { FoundHandler } from '../handlers/found-handler.ts'
import { fitHandler } from './handler-fit.ts'

/** Tells for which key a message waits at a handler that keeps the order of keys; each handler is asked for once. */
export class KeyTokens {
  readonly #mesh: Mesh
  readonly #handlers = new Map<string, Promise<FoundHandler | string>>()

  constructor(mesh: Mesh) {
    this.#mesh = mesh
  }

  /** The message as such a handler takes it; as it is for any other. */
  async withToken(message: RunMessage): Promise<RunMessage> {
    const handler = await this.#handler(message)
    if (typeof handler === 'string' || !handler.isOrdered) return message
    const subject = this.#mesh.names.strip(message.origin.subject)
    // Events from before the contract had a key are the one key of those without.
    return { ...message, token: subject === handler.type ? '' : subject.slice(subject.lastIndexOf('.') + 1) }
  }

  #handler({ service, handler }: RunMessage): Promise<FoundHandler | string> {
    const name = `${service}/${handler}`
    const known = this.#handlers.get(name)
    if (known) return known
    const asked = fitHandler(this.#mesh, { service, handler })
    this.#handlers.set(name, asked)
    // One that could not be asked is asked again.
    asked.catch(() => this.#handlers.delete(name))
    return asked
  }
}
