import { closeSync, openSync } from 'node:fs'
import type * as sqlite from 'node:sqlite'

export type Sqlite = typeof sqlite

let loaded: Promise<Sqlite> | undefined

/** Node's own SQLite. Loaded when a spool is asked for and not before. */
export function loadSqlite(): Promise<Sqlite> {
  return (loaded ??= withoutNotice(() => import('node:sqlite')))
}

/** The first releases of Node 24 say on stderr that the module is experimental; a service prints JSON lines and nothing else. */
async function withoutNotice<T>(load: () => Promise<T>): Promise<T> {
  const emit = Reflect.get(process, 'emitWarning') as (...args: unknown[]) => void
  Reflect.set(process, 'emitWarning', (...args: unknown[]) => {
    if (!String(args[0]).startsWith('SQLite is an experimental feature')) emit.apply(process, args)
  })
  try {
    return await load()
  } finally {
    Reflect.set(process, 'emitWarning', emit)
  }
}

/** Makes a file that nobody else on the machine may read. SQLite gives its journals the rights of their database. */
export function makeForOwner(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
}

/** SQLite's primary result code, without the extension in the upper bytes (https://www.sqlite.org/rescode.html). */
export function resultCode(error: unknown): number {
  const code = (error as { errcode?: unknown } | undefined)?.errcode
  return typeof code === 'number' ? code & 0xff : 0
}

export const SQLITE = { busy: 5, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const
