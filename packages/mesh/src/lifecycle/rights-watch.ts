/**
 * What a service must be allowed to publish on, or its messages do not go on. The server says that a right is missing when
 * it is first used, which for a dead letter may be weeks after the start: so it is asked before.
 */
import { PermissionViolationError } from '@nats-io/transport-node'
import type { Logger } from '../observe/logger.ts'
import type { ServiceDef } from '../service/define.ts'
import { eventSubjects } from '../topology/consumer-config.ts'
import { durablesOf } from '../topology/handler-durables.ts'
import type { Names } from '../topology/names.ts'
import { type OwnRights, refuses, type Rights } from '../topology/own-rights.ts'
import type { ConnectionWatch } from './connection-watch.ts'

/** What somebody does for messages, and on what it may publish for that; any of it may be all that is used. */
type Need = { readonly who: string; readonly act: string; readonly on: readonly string[] }

/** What no message can do without. */
function needsOfMessages(names: Names, service: ServiceDef): Need[] {
  const { name, publishes, handlers } = service
  const events = publishes.map((contract) => ({
    who: `service ${name}`,
    act: `publish ${contract.type}`,
    on: eventSubjects(names, contract),
  }))
  const ofHandlers = Object.keys(handlers).flatMap((handler) => {
    const who = `handler ${handler}`
    const acks = durablesOf(names, service, handler).map((durable) => ({
      who,
      act: 'ack',
      on: [`$JS.ACK.${durable.stream}.${durable.name}.>`],
    }))
    return [
      ...acks,
      { who, act: 'retry', on: [`${names.laneOf(name, handler)}>`] },
      { who, act: 'write dead letters', on: [names.subject(`dlq.${names.durable(name, handler)}.>`)] },
    ]
  })
  return [...events, ...ofHandlers]
}

export type RightsWatch = {
  /** The server was asked for the first time. Never rejects. */
  looked: Promise<void>
  /** What is missing, and what to do. */
  faults(): string[]
  stop(): void
}

type WatchDeps = { rights: OwnRights; connection: ConnectionWatch; names: Names; log: Logger }

/** How soon a right is found that was missing. */
const AGAIN_MS = 10_000
/** Whoever publishes without a right may do so with each message. */
const REFUSED_EVERY_MS = 1000

/**
 * Asks for the rights of this user at the start of a service, before its first message; again when the connection is back,
 * when something was refused, and every 10 s while a right is missing or the server does not answer. Where a server does
 * not tell, nothing is missing.
 */
export function watchRights({ rights, connection, names, log }: WatchDeps, service: ServiceDef): RightsWatch {
  const needs = needsOfMessages(names, service)
  let faults: string[] = []
  let again: NodeJS.Timeout | undefined
  let askedAt = 0
  let isStopped = false
  const askLater = (): void => {
    again = setTimeout(() => void look(rights.ask()), AGAIN_MS)
  }
  const look = async (asked: Promise<Rights | undefined>): Promise<void> => {
    askedAt = performance.now()
    clearTimeout(again)
    const has = await asked
    if (isStopped) return
    clearTimeout(again)
    if (has === undefined) {
      askLater()
      return
    }
    const known = faults.join()
    faults = needs
      .filter(({ on }) => on.every((subject) => refuses(has, subject)))
      .map(({ who, act, on }) => `${who}: this user may not ${act}; allow it to publish on ${on.join(' and ')}`)
    if (faults.length === 0) return
    askLater()
    if (faults.join() !== known)
      log.error({ service: service.name, faults }, `the user of ${service.name} lacks rights: ${faults.join('; ')}`)
  }
  const unlisten = connection.listen({
    up: () => void look(rights.known()),
    error(error) {
      // Where something is missing already it is asked for again by itself.
      const isNews = error instanceof PermissionViolationError && faults.length === 0
      if (isNews && performance.now() - askedAt > REFUSED_EVERY_MS) void look(rights.ask())
    },
  })
  return {
    looked: look(rights.ask()),
    faults: () => faults,
    stop() {
      isStopped = true
      clearTimeout(again)
      unlisten()
    },
  }
}
