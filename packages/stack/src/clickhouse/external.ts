import { StackError } from '../errors.ts'
import { ask } from './query.ts'
import type { ClickHouseServer } from './server.ts'

/** A server somebody else runs. Stopping and killing it are not ours to do. */
export async function useExternal(url: string): Promise<ClickHouseServer> {
  if (!URL.canParse(url))
    throw new StackError('STACK_NOT_READY', 'CLICKHOUSE_URL is not a URL such as http://host:8123')
  const { protocol, port, host } = new URL(url)
  const version = await ask(url, 'SELECT version()').catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    const detail = `the ClickHouse of CLICKHOUSE_URL (${host}) does not answer: ${why}. Start it, mend the variable, or unset it`
    throw new StackError('STACK_NOT_READY', detail, { cause: error })
  })
  return {
    url,
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
    version,
    backend: 'external',
    pid: undefined,
    exited: new Promise(() => {}),
    stop: leaveAlone,
    kill: () => {},
    [Symbol.asyncDispose]: leaveAlone,
  }
}

async function leaveAlone(): Promise<void> {}
