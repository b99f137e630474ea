import { defineService, type HandlerContext, hours, on, Reject, retry, type ServiceDef, untilBack } from '@malha/mesh'
import { billed, charged, doubted, failed, filed, type Load, noted, ordered, reminded, taken } from './contracts.ts'
import { FAIL_ATTEMPTS, FAIL_EVERY } from './handler-facts.ts'

/** What handlers do in the world outside. */
export type Outside = {
  /** Whether what was refused before is done now. */
  isMended(): boolean
  /** A handler begins with a message. */
  begins(handler: string, ctx: HandlerContext): void
  /** Acts once for each handler and `ctx.id`, however often it is asked. */
  act(handler: string, data: Load, ctx: HandlerContext): Promise<void>
  /** Acts each time it is asked: it knows no idempotency keys. */
  actAgain(handler: string, data: Load, ctx: HandlerContext): Promise<void>
}

/** Of how many events of a key one fails at first. */
const STUMBLE_EVERY = 7

/** The handler that has an inbox. */
export const WITH_INBOX = 'charge'

/** A killed process's messages should come back soon. */
const SOON = { startFrom: 'all', retry: untilBack, ackWaitMs: 10_000, concurrency: 32 } as const

/** One handler for each way of the library to handle a message. */
export function loadService(outside: Outside): ServiceDef {
  const acts =
    (name: string) =>
    async (data: Load, ctx: HandlerContext): Promise<void> => {
      outside.begins(name, ctx)
      await outside.act(name, data, ctx)
    }
  return defineService('load', {
    // What is due it brings to its stream, too.
    publishes: [billed, reminded],
    handlers: {
      note: on(noted, SOON, acts('note')),
      remind: on(reminded, SOON, acts('remind')),
      file: on(filed, SOON, acts('file')),
      settle: on(billed, SOON, acts('settle')),
      walk: on(taken, { ...SOON, order: 'key', concurrency: 64 }, async (data, ctx) => {
        outside.begins('walk', ctx)
        // Its key waits meanwhile, and no other.
        if (ctx.attempt === 1 && data.n % STUMBLE_EVERY === 1) throw new Error('it is one of those that fail at first')
        await outside.act('walk', data, ctx)
      }),
      bill: on(ordered, { ...SOON, effects: 'once' }, (data, ctx) => {
        outside.begins('bill', ctx)
        ctx.publish(billed, data)
      }),
      [WITH_INBOX]: on(charged, { ...SOON, inbox: { keepMs: hours(2) } }, async (data, ctx) => {
        outside.begins(WITH_INBOX, ctx)
        await outside.actAgain(WITH_INBOX, data, ctx)
      }),
      doubt: on(doubted, SOON, async (data, ctx) => {
        outside.begins('doubt', ctx)
        if (data.n % FAIL_EVERY === 0 && !outside.isMended()) throw new Reject('it is one of those that are refused')
        await outside.act('doubt', data, ctx)
      }),
      fail: on(
        failed,
        { ...SOON, retry: retry({ attempts: FAIL_ATTEMPTS, minDelayMs: 200, maxDelayMs: 1000 }) },
        (data, ctx) => {
          outside.begins('fail', ctx)
          if (data.n % FAIL_EVERY === 0 && !outside.isMended()) throw new Error('it is one of those that always fail')
        },
      ),
    },
  })
}
