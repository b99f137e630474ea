import { setTimeout as wait } from 'node:timers/promises'
import type { Move } from './moves.ts'

/** What a handler does with each move, and who tells whether the order was kept. */
export interface Work {
  handle(move: Move): Promise<void> | undefined
  /** Resolves when every move was handled. */
  readonly done: Promise<void>
  /** @throws Error unless each move of each product was handled once, begun when the one before was over */
  check(): void
}

/** One round's: `workMs` is how long each move takes, as a call to a partner does; 0 is done at once. */
export function workOf({ messages, workMs }: { messages: number; workMs: number }): Work {
  const done = Promise.withResolvers<void>()
  const last = new Map<string, number>()
  const running = new Set<string>()
  let handled = 0
  let outOfOrder = 0
  const begin = ({ product, nth }: Move): void => {
    if (running.has(product) || nth !== (last.get(product) ?? 0) + 1) outOfOrder++
    last.set(product, nth)
    running.add(product)
  }
  const end = ({ product }: Move): void => {
    running.delete(product)
    if (++handled === messages) done.resolve()
  }
  return {
    handle(move) {
      begin(move)
      if (workMs > 0) return wait(workMs).then(() => end(move))
      end(move)
      return undefined
    },
    done: done.promise,
    check() {
      if (handled !== messages || outOfOrder > 0)
        throw new Error(`${handled} of ${messages} moves were handled, ${outOfOrder} of them out of order`)
    },
  }
}
