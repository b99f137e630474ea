import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Logger } from '@malha/mesh'
import { ConsoleError } from '../errors.ts'
import { isRole, type Role, roles } from './role.ts'

/** Who may do what: a line `name role sha256` of a token file. The token itself is nowhere. */
export type TokenEntry = { readonly name: string; readonly role: Role; readonly sha256: string }

export interface Tokens {
  /** Whose token it is, as the file says now. */
  find(token: string): Promise<TokenEntry | undefined>
  /** The same by the token's SHA-256, in hex. */
  byHash(sha256: string): Promise<TokenEntry | undefined>
}

/** A token that cannot be guessed, and the line of a token file that lets it in. */
export function newToken(name: string, role: Role): { token: string; line: string } {
  const token = `malha_${randomBytes(24).toString('base64url')}`
  const line = `${name} ${role} ${sha256Of(token)}`
  parseTokens(line)
  return { token, line }
}

/**
 * Reads a token file, and reads it again when it changed: a line that is removed lets nobody in any more. A changed file with
 * faults is logged, and the one before it counts.
 * @throws ConsoleError CONSOLE_TOKENS_UNREADABLE
 */
export async function openTokens(file: string, log: Logger): Promise<Tokens> {
  let changedAt = await changeOf(file)
  let entries = await read(file)
  const current = async (): Promise<readonly TokenEntry[]> => {
    try {
      const now = await changeOf(file)
      if (now === changedAt) return entries
      changedAt = now
      entries = await read(file)
    } catch (err) {
      log.error({ err }, 'the token file cannot be read; what it said before counts')
    }
    return entries
  }
  const byHash = async (sha256: string): Promise<TokenEntry | undefined> => {
    const given = Buffer.from(sha256, 'hex')
    let found: TokenEntry | undefined
    // All are compared, whichever fits.
    for (const entry of await current()) if (timingSafeEqual(Buffer.from(entry.sha256, 'hex'), given)) found = entry
    return found
  }
  return { byHash, find: (token) => byHash(sha256Of(token)) }
}

/** @throws ConsoleError CONSOLE_TOKENS_UNREADABLE with every fault */
export function parseTokens(text: string, file = 'token file'): TokenEntry[] {
  const faults: string[] = []
  const entries: TokenEntry[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const [name = '', role, sha256 = '', ...more] = line.trim().split(/\s+/)
    const fault = (what: string): unknown => faults.push(`line ${index + 1} ${what}`)
    if (more.length > 0) fault('has more than a name, a role and a SHA-256')
    else if (!/^[\w.@+-]{1,64}$/.test(name)) fault('has a name of other than 1 to 64 letters, digits and . _ @ + -')
    else if (!isRole(role)) fault(`has a role other than ${roles.join(', ')}`)
    else if (!/^[0-9a-f]{64}$/i.test(sha256))
      fault('has no SHA-256 in 64 hex digits; the token itself does not belong here')
    else entries.push({ name, role, sha256: sha256.toLowerCase() })
  }
  if (entries.length === 0 && faults.length === 0) faults.push('it has no line: nobody could sign in')
  if (faults.length === 0) return entries
  throw new ConsoleError('CONSOLE_TOKENS_UNREADABLE', `${file}: ${faults.join('; ')}`)
}

async function read(file: string): Promise<TokenEntry[]> {
  return parseTokens(await orUnreadable(file, readFile(file, 'utf8')), file)
}

async function changeOf(file: string): Promise<number> {
  return (await orUnreadable(file, stat(file))).mtimeMs
}

async function orUnreadable<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConsoleError('CONSOLE_TOKENS_UNREADABLE', `${file} cannot be read (${code}); name a file that can`, {
      cause,
    })
  }
}

const sha256Of = (token: string): string => hash('sha256', token, 'hex')
