import { setImmediate } from 'node:timers/promises'
import { type Contract, defineService, on, type RunningService } from '@malha/mesh'
import { jetstreamManager } from '@nats-io/jetstream'
import { context } from '@opentelemetry/api'
import { connectBench, type Order, orderPlaced } from '../orders.ts'
import { carryTraceContext } from '../trace-context.ts'
import { checkAllAcked, durablesAhead } from '../twins/durable.ts'
import type { Side } from './side.ts'

/** Twice as many are asked for: the 2000 of the twins. */
const CONCURRENCY = 1000

/** The mesh as it comes: ids, trace context, default retry, dead letters. */
export function meshSide(contract: Contract<Order> = orderPlaced): Side {
  return {
    async publisher({ servers, replicas }) {
      const inTrace = carryTraceContext()
      const mesh = await connectBench(servers, replicas)
      const jsm = await jetstreamManager(mesh.nats)
      return {
        publish: (order) => mesh.publish(contract, order),
        inContext: (work) => context.with(inTrace, work),
        purge: async () => void (await jsm.streams.purge(mesh.names.stream(contract.stream))),
        close: () => mesh.close(),
      }
    },
    // Without OpenTelemetry, as the twins: what a message says of its trace is handed on by the mesh itself.
    async consumer({ servers, replicas, variant }) {
      const mesh = await connectBench(servers, replicas)
      const jsm = await jetstreamManager(mesh.nats)
      const nameOf = (round: number): string => `${variant}-worker-${round}`
      const ahead = durablesAhead(mesh, { service: nameOf, handler: 'handler' })
      let running: RunningService | undefined
      return {
        prepare: (round) => ahead.make(round),
        // A service of its own each round: its durables begin anew.
        async start(round, onOrder) {
          const handler = on(contract, { startFrom: 'all', concurrency: CONCURRENCY }, onOrder)
          running = await mesh.start(defineService(nameOf(round), { handlers: { handler } }))
        },
        async flush() {
          await setImmediate()
          await mesh.nats.flush()
        },
        async finish(round, messages) {
          await running?.stop()
          await checkAllAcked(jsm, ahead.durableOf(round), messages)
          await ahead.delete(round)
          await jsm.streams.delete(mesh.names.lanes(nameOf(round)))
        },
        close: () => mesh.close(),
      }
    },
  }
}
