/**
 * What a service must be allowed to publish on, or its messages do not go on. The server says that a right is missing when
 * it is first used, which for a dead letter may be weeks after the start: so it is asked before.
 */
import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import type { Logger } from '../observe/logger.ts'
import type { ServiceDef } from '../service/define.ts'
import { filtersOf } from '../topology/consumer-config.ts'
import { eventDurablesOf } from '../topology/event-durables.ts'
import type { Names } from '../topology/names.ts'
import { publishRights, refuses } from '../topology/own-rights.ts'
import type { ConnectionWatch } from './connection-watch.ts'

/** What somebody does for messages, and on what it may publish for that; any of it may be all that is used. */
type Need = { readonly who: string; readonly act: string; readonly on: readonly string[] }

/** What no message can do without. */
function needsOfMessages(names: Names, { name, publishes, handlers }: ServiceDef): Need[] {
  const events = publishes.map((contract) => ({
    who: `service ${name}`,
    act: `publish ${contract.type}`,
    on: filtersOf(contract).map((filter) => names.subject(filter)),
  }))
  const ofHandlers = Object.entries(handlers).flatMap(([handler, def]) => {
    const lane = { stream: names.lanes(name), durable: names.durable(name, handler) }
    const isOnStream = !def.order && !def.shadow
    const onStream = (isOnStream ? eventDurablesOf(def) : []).map(({ part }) => ({
      stream: names.stream(def.source.stream),
      durable: names.durable(name, handler, part),
    }))
    const who = `handler ${handler}`
    return [
      ...[...onStream, lane].map(({ stream, durable }) => ({
        who,
        act: 'ack',
        on: [`$JS.ACK.${stream}.${durable}.>`],
      })),
      { who, act: 'retry', on: [names.laneTarget(name, handler).replace(/now$/, '>')] },
      { who, act: 'write dead letters', on: [names.subject(`dlq.${lane.durable}.>`)] },
    ]
  })
  return [...events, ...ofHandlers]
}

export type RightsWatch = {
  /** What is missing, and what to do. */
  faults(): string[]
  stop(): void
}

type WatchDeps = { nc: NatsConnection; connection: ConnectionWatch; names: Names; log: Logger }

/** A server that is told of other rights gives them to whoever is connected, and says nothing. */
const AGAIN_MS = 10_000
/** Whoever publishes without a right may do so with each message. */
const REFUSED_EVERY_MS = 1000

/**
 * Asks for the rights of this user at the start of a service, before its first message; again when the connection is back,
 * when something was refused, and every 10 s while a right is missing. Where the server does not tell, nothing is missing.
 */
export async function watchRights(
  { nc, connection, names, log }: WatchDeps,
  service: ServiceDef,
): Promise<RightsWatch> {
  const needs = needsOfMessages(names, service)
  let faults: string[] = []
  let again: NodeJS.Timeout | undefined
  let askedAt = 0
  let isStopped = false
  const look = async (): Promise<void> => {
    askedAt = performance.now()
    clearTimeout(again)
    const rights = await publishRights(nc)
    if (isStopped) return
    const known = faults.join()
    faults = needs
      .filter(({ on }) => on.every((subject) => refuses(rights, subject)))
      .map(({ who, act, on }) => `${who}: this user may not ${act}; allow it to publish on ${on.join(' and ')}`)
    if (faults.length === 0) return
    clearTimeout(again)
    again = setTimeout(() => void look(), AGAIN_MS)
    if (faults.join() !== known)
      log.error({ service: service.name, faults }, `the user of ${service.name} lacks rights: ${faults.join('; ')}`)
  }
  const unlisten = connection.listen({
    up: () => void look(),
    error(error) {
      // Where something is missing already it is asked for again by itself.
      const isNews = error instanceof PermissionViolationError && faults.length === 0
      if (isNews && performance.now() - askedAt > REFUSED_EVERY_MS) void look()
    },
  })
  await look()
  return {
    faults: () => faults,
    stop() {
      isStopped = true
      clearTimeout(again)
      unlisten()
    },
  }
}
