import { hash, randomBytes } from 'node:crypto'

const LASTS_MS = 12 * 3_600_000
const MOST = 10_000

/** Who signed in, by the secret in the cookie; of the secret only a digest is kept. Lost with the process. */
export class Sessions {
  readonly #tokens = new Map<string, { sha256: string; until: number }>()

  /** Returns the secret. `sha256` is of the token that was signed in with. */
  begin(sha256: string): string {
    for (const [key, { until }] of this.#tokens)
      if (until < Date.now() || this.#tokens.size >= MOST) this.#tokens.delete(key)
    const secret = randomBytes(32).toString('base64url')
    this.#tokens.set(digest(secret), { sha256, until: Date.now() + LASTS_MS })
    return secret
  }

  /** SHA-256 of the token that a session was begun with. */
  tokenOf(secret: string): string | undefined {
    const session = this.#tokens.get(digest(secret))
    return session && session.until > Date.now() ? session.sha256 : undefined
  }

  end(secret: string): void {
    this.#tokens.delete(digest(secret))
  }
}

const digest = (secret: string): string => hash('sha256', secret, 'hex')
