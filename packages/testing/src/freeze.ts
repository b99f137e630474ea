import { eventually } from './eventually.ts'
import type { TestServer } from './test-server.ts'

const SILENT_MS = 300

/**
 * Stops a server without ending it (SIGSTOP): its connections stay, and it says nothing. Resolves when it is stopped: a signal
 * takes its time. Disposing lets it go on.
 */
export async function freeze({ pid, monitorUrl }: Pick<TestServer, 'pid' | 'monitorUrl'>): Promise<Disposable> {
  if (pid === undefined) throw new Error('the server is down; start it first')
  process.kill(pid, 'SIGSTOP')
  const answers = async (): Promise<boolean> => {
    const signal = AbortSignal.timeout(SILENT_MS)
    return await fetch(`${monitorUrl}/varz`, { signal }).then(
      () => true,
      () => false,
    )
  }
  await eventually(async () => !(await answers()))
  return { [Symbol.dispose]: () => process.kill(pid, 'SIGCONT') }
}
