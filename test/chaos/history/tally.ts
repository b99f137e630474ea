import { openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { HandlerFacts } from './final-state.ts'
import type { Operation } from './operation.ts'

/** How far a run is, counted from what its processes have written down so far. */
export interface Tally {
  /** Reads what is new. */
  read(): void
  readonly lines: number
  readonly published: number
  readonly unknown: number
  readonly deliveries: number
  readonly effects: number
  readonly acks: number
  /** Acknowledged, by type. */
  readonly byType: ReadonlyMap<string, number>
  /** Publishes that ended with something else than a time-out or an answer, by what it was. */
  readonly faults: ReadonlyMap<string, number>
  /** Processes that publish no more, with all they published answered. */
  readonly answered: ReadonlySet<string>
  /**
   * Effects that acknowledged publishes of the load still owe, at least: nobody knows what else was stored. 0 once an
   * operator has deleted a stream: what went with it owes nothing.
   */
  readonly outstanding: number
}

const CHUNK = Buffer.alloc(1 << 20)

/** @param folder of the files of operations */
export function openTally(folder: string, handlers: readonly HandlerFacts[]): Tally {
  const files = new Map<string, { fd: number; at: number; rest: string }>()
  const count = { lines: 0, published: 0, unknown: 0, deliveries: 0, effects: 0, acks: 0, owed: 0 }
  const owing = effectsOf(handlers)
  const byType = new Map<string, number>()
  const faults = new Map<string, number>()
  const answered = new Set<string>()
  let isAnyLost = false

  function take(operation: Operation): void {
    count.lines += 1
    if (operation.op === 'delivery') count.deliveries += 1
    else if (operation.op === 'ack') count.acks += 1
    else if (operation.op === 'effect') {
      count.effects += 1
      if (owing.handlers.has(operation.handler)) count.owed -= 1
    } else if (operation.op === 'nemesis') isAnyLost ||= operation.lost !== undefined
    else if (operation.op === 'answered') answered.add(operation.process)
    else if (operation.op === 'publish' && operation.phase === 'unknown') {
      count.unknown += 1
      const { fault } = operation
      if (fault !== undefined) faults.set(fault, (faults.get(fault) ?? 0) + 1)
    } else if (operation.op === 'publish' && operation.phase === 'ok') {
      count.published += 1
      byType.set(operation.type, (byType.get(operation.type) ?? 0) + 1)
      count.owed += owing.by(operation.type, operation.n)
    }
  }

  function readFile(name: string): void {
    const file = files.get(name) ?? { fd: openSync(join(folder, name), 'r'), at: 0, rest: '' }
    files.set(name, file)
    for (;;) {
      const read = readSync(file.fd, CHUNK, 0, CHUNK.length, file.at)
      if (read === 0) return
      file.at += read
      const lines = (file.rest + CHUNK.toString('latin1', 0, read)).split('\n')
      file.rest = lines.pop()!
      for (const line of lines) takeLine(line)
    }
  }

  function takeLine(line: string): void {
    try {
      take(JSON.parse(line) as Operation)
    } catch {
      // A kill cut it.
    }
  }

  return {
    read() {
      for (const name of readdirSync(folder)) readFile(name)
    },
    get lines() {
      return count.lines
    },
    get published() {
      return count.published
    },
    get unknown() {
      return count.unknown
    },
    get deliveries() {
      return count.deliveries
    },
    get effects() {
      return count.effects
    },
    get acks() {
      return count.acks
    },
    byType,
    faults,
    answered,
    get outstanding() {
      return isAnyLost ? 0 : Math.max(0, count.owed)
    },
  }
}

type Owing = { handlers: ReadonlySet<string>; by(type: string, n: number | undefined): number }

/** What one message of a type owes to the handlers of the load that have one effect each, its output's included. */
function effectsOf(facts: readonly HandlerFacts[]): Owing {
  const mine = facts.filter(({ handler, effect }) => handler.startsWith('load.') && effect === 'once')
  const by = (type: string, n: number | undefined): number => {
    const own = mine.filter(
      (one) => one.type === type && !(one.rejectEvery && n !== undefined && n % one.rejectEvery === 0),
    )
    const outputs = facts.filter((one) => one.type === type && one.output !== undefined)
    return own.length + outputs.reduce((sum, { output }) => sum + mine.filter(({ type }) => type === output).length, 0)
  }
  return { handlers: new Set(mine.map(({ handler }) => handler)), by }
}
