import { setTimeout as sleep } from 'node:timers/promises'
import type { NatsNode } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'

/** How a server of a cluster ends: as its chart has it (lame duck), by SIGTERM alone, or by SIGKILL. */
export type BrokerEnd = 'lame-duck' | 'SIGTERM' | 'SIGKILL'

/**
 * One server that was rolled. `beganAt`: Unix ms; the others ms. `awayMs`: from its end until it was there again, with all
 * that was stored meanwhile.
 */
export type BrokerRolled = { broker: string; beganAt: number; leftMs: number; awayMs: number; isCutOff: boolean }

/** `terminationGracePeriodSeconds` of the chart. */
const GRACE_MS = 60_000

/**
 * Rolls one server: its preStop tells it to enter lame duck mode, SIGTERM follows at once (and is without effect then), and it
 * is started again when it is gone. Resolves when every stream and consumer is in sync everywhere.
 */
export async function rollBroker(node: NatsNode, end: BrokerEnd, nats: NatsConnection): Promise<BrokerRolled> {
  const began = performance.now()
  const beganAt = Date.now()
  const isCutOff = await leave(node, end)
  const gone = performance.now()
  await node.start()
  await inSync(nats)
  const round = Math.round
  return { broker: node.name, beganAt, leftMs: round(gone - began), awayMs: round(performance.now() - gone), isCutOff }
}

async function leave(node: NatsNode, end: BrokerEnd): Promise<boolean> {
  const { pid } = node
  if (pid === undefined) throw new Error(`${node.name} is down`)
  if (end !== 'lame-duck') {
    await (end === 'SIGTERM' ? node.stop() : node.kill())
    return false
  }
  process.kill(pid, 'SIGUSR2')
  await eventually(() => isLame(node))
  if (node.pid !== undefined) process.kill(pid, 'SIGTERM')
  const deadline = performance.now() + GRACE_MS
  while (node.pid !== undefined && performance.now() < deadline) await sleep(50)
  const isCutOff = node.pid !== undefined
  await node.kill()
  return isCutOff
}

/** It takes no connection of clients any more, and its monitor says why. */
async function isLame({ monitorUrl, pid }: NatsNode): Promise<boolean> {
  if (pid === undefined) return true
  const answer = await fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined)
  await answer?.arrayBuffer()
  return answer?.status !== 200
}

/**
 * Every stream has all its replicas, and none is behind. That the server itself says so (`/healthz`, the start-up probe) was
 * waited for before; a replica that is not `current` for lack of news is behind by nothing.
 */
async function inSync(nats: NatsConnection): Promise<void> {
  await eventually(
    async () => {
      const jsm = await jetstreamManager(nats, { checkAPI: false })
      for await (const { config, cluster } of jsm.streams.list()) {
        const late = (cluster?.replicas ?? []).filter(({ current, offline, lag }) => offline || (!current && lag > 0))
        if (!cluster?.leader || late.length > 0) throw new Error(`${config.name} is not in sync`)
      }
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  )
}
