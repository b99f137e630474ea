import { eventually } from '@malha/testing'
import { handlerFacts } from '../workload/handler-facts.ts'
import type { CommandLine } from '../system.ts'
import type { Nemesis } from './nemesis.ts'

/** While the brokers are away nothing can be said of a handler. */
const AGAIN_WITHIN_MS = 90_000

/** An operator pauses a handler in all its instances, and resumes it in the end. */
export const pauseHandler: Nemesis = {
  name: 'pause-handler',
  on: ['single', 'cluster'],
  async begin({ malha }, random) {
    const handler = random.pick(handlerFacts).handler.replace('.', '/')
    const again = { timeoutMs: AGAIN_WITHIN_MS, intervalMs: 500 }
    await eventually(() => said(malha, 'pause', handler), again)
    return { target: handler, end: () => eventually(() => said(malha, 'resume', handler), again) }
  },
}

async function said(malha: CommandLine, how: 'pause' | 'resume', handler: string): Promise<void> {
  const { code, stderr } = await malha.run('handlers', how, handler, '--reason', 'a day like this', '--json')
  if (code !== 0) throw new Error(`malha handlers ${how} ${handler} ended with ${String(code)}: ${stderr}`)
}
