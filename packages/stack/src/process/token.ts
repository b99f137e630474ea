import { randomBytes } from 'node:crypto'

/** Put into a server's configuration and asked back, so that no other server on the port is taken for it. */
export function randomToken(): string {
  return randomBytes(6).toString('hex')
}
