import Fastify, { type FastifyInstance } from 'fastify'
import { type Fault, readFault } from './fault.ts'
import type { Received } from './ledger.ts'
import { problem } from './problem.ts'

export type ControlApiOptions = {
  fault: () => Fault
  /** Puts a fault into effect. Rejects when the port cannot be opened again. */
  setFault: (fault: Fault) => Promise<void>
  received: () => Received
}

/** How a partner is told to misbehave, and asked what it has seen. On a port of its own: `down` must not shut it. */
export function controlApi(options: ControlApiOptions): FastifyInstance {
  const app = Fastify({ logger: false })
  app.get('/_fault', () => options.fault())
  app.get('/_received', () => options.received())
  app.put('/_fault', async (request, reply) => {
    const read = readFault(request.body)
    if ('faults' in read) return problem(reply, 400, 'This is no fault', read.faults)
    await options.setFault(read.fault)
    return options.fault()
  })
  return app
}
