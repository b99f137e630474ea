/**
 * A service process that some jobs kill, that some take all memory of, and that some never leave: those are named so. What
 * is done is a line of `BOOK`.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, on, type ServiceDef } from '@malha/mesh'
import { asked } from './jobs.ts'
import { runService } from './run-service.ts'

const book = process.env['BOOK'] ?? ''

/** Until V8 gives up, with whatever else is in hand. */
function hoard(): never {
  for (const kept: number[][] = []; ;) kept.push(Array.from({ length: 100_000 }, () => Math.random()))
}

export function crashingWorker(env: NodeJS.ProcessEnv): ServiceDef {
  const { ACK_WAIT_MS: ackWaitMs, TIMEOUT_MS: timeoutMs = 60_000, ORDER } = env
  const limits = { ackWaitMs: Number(ackWaitMs), timeoutMs: Number(timeoutMs) }
  const order = ORDER === 'key' ? { order: 'key' as const } : {}
  return defineService('worker', {
    handlers: {
      work: on(asked, { startFrom: 'all', concurrency: 8, ...limits, ...order }, async ({ jobId }) => {
        await sleep(jobId.startsWith('kills') ? 10 : 30)
        if (jobId.startsWith('kills')) process.kill(process.pid, 'SIGKILL')
        if (jobId.startsWith('hoards')) hoard()
        if (jobId.startsWith('hangs')) await new Promise(() => undefined)
        appendFileSync(book, `${jobId}\n`)
      }),
    },
  })
}

if (import.meta.main) await runService(crashingWorker(process.env))
