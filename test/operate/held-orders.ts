/**
 * A process that books the moves of orders in their order, and holds those behind a dead letter. What its first move does is in
 * the file `MODE`: it is refused, ends the process, or is booked. Each call is a line of `BOOK` before anything else.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { defineService, on, Reject, retry } from '@malha/mesh'
import { runService } from '../faults/run-service.ts'
import { moved } from './moves.ts'

const [book, mode] = [process.env['BOOK'] ?? '', process.env['MODE'] ?? '']

await runService(
  defineService('shop', {
    handlers: {
      book: on(
        moved,
        { order: 'key', onDeadLetter: 'hold-key', startFrom: 'all', ackWaitMs: 2000, retry: retry({ attempts: 1 }) },
        ({ order, n }) => {
          appendFileSync(book, `${process.pid} ${order} ${n}\n`)
          if (order !== 'held' || n > 0) return
          const now = readFileSync(mode, 'utf8')
          if (now === 'refuses') throw new Reject('no room')
          if (now === 'dies') process.kill(process.pid, 'SIGKILL')
        },
      ),
    },
  }),
)
