/**
 * A service process that some jobs kill, and some never leave: those are named so. What is done is a line of `BOOK`.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, on } from '@malha/mesh'
import { asked } from './jobs.ts'
import { runService } from './run-service.ts'

const book = process.env['BOOK'] ?? ''
const order = process.env['ORDER'] === 'key' ? { order: 'key' as const } : {}

const worker = defineService('worker', {
  handlers: {
    work: on(
      asked,
      { startFrom: 'all', concurrency: 8, ackWaitMs: Number(process.env['ACK_WAIT_MS']), ...order },
      async ({ jobId }) => {
        await sleep(jobId.startsWith('kills') ? 10 : 30)
        if (jobId.startsWith('kills')) process.kill(process.pid, 'SIGKILL')
        appendFileSync(book, `${jobId}\n`)
      },
    ),
  },
})

await runService(worker)
