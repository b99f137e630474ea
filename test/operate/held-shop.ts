import { appendFileSync, readFileSync } from 'node:fs'
import { defineService, on, Reject, retry, type ServiceDef } from '@malha/mesh'
import { moved } from './moves.ts'

/**
 * Books the moves of orders in their order, and holds those behind a dead letter. What the first move does is in the file
 * `MODE`: it is refused, ends the process, or is booked. Each call is a line of `BOOK` before anything else.
 */
export const heldShop: ServiceDef = defineService('shop', {
  handlers: {
    book: on(
      moved,
      { order: 'key', onDeadLetter: 'hold-key', startFrom: 'all', ackWaitMs: 2000, retry: retry({ attempts: 1 }) },
      ({ order, n }) => {
        appendFileSync(process.env['BOOK']!, `${process.pid} ${order} ${n}\n`)
        if (order !== 'held' || n > 0) return
        const now = readFileSync(process.env['MODE']!, 'utf8')
        if (now === 'refuses') throw new Reject('no room')
        if (now === 'dies') process.kill(process.pid, 'SIGKILL')
      },
    ),
  },
})
