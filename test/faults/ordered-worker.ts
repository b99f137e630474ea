/**
 * A process to be killed, stopped and woken: takes each key's steps in order and writes when it begins and ends one to a
 * file that outlives it (`BOOK`), one line a write.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineService, on, retry, type ServiceDef } from '@malha/mesh'
import { taken } from './ordered-jobs.ts'
import { runService } from './run-service.ts'

const book = process.env['BOOK'] ?? ''
const workMs = Number(process.env['WORK_MS'] ?? '3')
const write = (...words: (string | number)[]): void => appendFileSync(book, `${words.join(' ')}\n`)

export const walkingWorker: ServiceDef = defineService('worker', {
  handlers: {
    walk: on(
      taken,
      {
        order: 'key',
        startFrom: 'all',
        concurrency: 64,
        ackWaitMs: 2000,
        retry: retry({ attempts: 50, minDelayMs: 150, maxDelayMs: 2000, factor: 1.5 }),
      },
      async ({ key, n, failures }, ctx) => {
        const about = [key, n, ctx.fence ?? 0, ctx.attempt, process.pid]
        write('begin', ...about)
        await sleep(Math.random() * 2 * workMs)
        if (ctx.attempt <= failures) throw new Error('not yet')
        write('end', ...about)
      },
    ),
  },
})

if (import.meta.main) await runService(walkingWorker)
