import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, malhaCommand } from './command.ts'

export type Page = {
  total: number
  next: number | null
  letters: { seq: number; id: string; key: string; at: string }[]
  groups: { group: string; letters: number }[]
  counts: Record<string, number>
  asOf: { state: string; until?: number }
}

export interface ConsoleClient extends AsyncDisposable {
  readonly command: Command
  letters(query: string): Promise<Page>
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: object): Promise<T>
  /** A page that is open: it is told once a second. */
  watch(): AsyncDisposable
}

const UP_MS = 30_000

/** A console as people start it, for an operator. */
export async function startConsole(server: string, cache: string): Promise<ConsoleClient> {
  const command = malhaCommand(['console', '--role', 'admin', '--port', '0', '--json', '--server', server], { cache })
  const until = performance.now() + UP_MS
  while (!command.stdout.includes('\n')) {
    if (performance.now() > until) throw new Error('the console did not come up')
    await sleep(5)
  }
  const { url } = JSON.parse(command.stdout) as { url: string }
  const asked = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    const response = await fetch(`${url}/api${path}`, init)
    const text = await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
    return JSON.parse(text) as T
  }
  return {
    command,
    get: (path) => asked(path),
    letters: (query) => asked(`/letters?${query}`),
    post: (path, body) =>
      asked(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    watch() {
      const stop = new AbortController()
      const open = readAll(`${url}/api/live`, stop.signal).catch(() => undefined)
      return {
        async [Symbol.asyncDispose]() {
          stop.abort()
          await open
        },
      }
    },
    [Symbol.asyncDispose]: () => command[Symbol.asyncDispose](),
  }
}

/** Until it ends. */
async function readAll(url: string, signal: AbortSignal): Promise<void> {
  const { body } = await fetch(url, { signal })
  for await (const _ of body!);
}
