import { hash, randomBytes } from 'node:crypto'
import type { Actor } from './guard.ts'

/** Who signed in: by a token, which is looked up each time, or as whom an issuer said. */
export type Session = { readonly sha256: string } | { readonly actor: Actor }

const LASTS_MS = 12 * 3_600_000
const MOST = 10_000

/** Who signed in, by the secret in the cookie; of the secret only a digest is kept. Lost with the process. */
export class Sessions {
  readonly #sessions = new Map<string, { session: Session; until: number }>()

  /** Returns the secret. @param lastsMs @default 12 hours */
  begin(session: Session, lastsMs: number = LASTS_MS): string {
    for (const [key, { until }] of this.#sessions)
      if (until < Date.now() || this.#sessions.size >= MOST) this.#sessions.delete(key)
    const secret = randomBytes(32).toString('base64url')
    this.#sessions.set(digest(secret), { session, until: Date.now() + lastsMs })
    return secret
  }

  find(secret: string): Session | undefined {
    const found = this.#sessions.get(digest(secret))
    return found && found.until > Date.now() ? found.session : undefined
  }

  end(secret: string): void {
    this.#sessions.delete(digest(secret))
  }
}

const digest = (secret: string): string => hash('sha256', secret, 'hex')
