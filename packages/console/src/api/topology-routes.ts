import { mapOf } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { storedPerSecond } from '../looks/rates.ts'
import { saidContracts } from '../looks/said-contracts.ts'
import { watched } from '../looks/watched.ts'
import type { ApiDeps } from './deps.ts'
import { ProblemView } from './schemas/shared.ts'
import { TopologyView } from './schemas/topology.ts'

/** The mesh as a picture. */
export function topologyRoutes(app: FastifyInstance, { operations, options, sampler }: ApiDeps): void {
  const contracts = saidContracts(operations)
  app.withTypeProvider<ZodTypeProvider>().get(
    '/topology',
    {
      schema: {
        summary: 'Who publishes what and who hears it, how much of it flows, and where it does not',
        tags: ['topology'],
        response: { 200: TopologyView, '4xx': ProblemView, '5xx': ProblemView },
      },
    },
    async (): Promise<TopologyView> => {
      const [samples, said] = await Promise.all([sampler.samples(), contracts()])
      const { handlers, streams, atMs, missing } = samples.at(-1)!
      const map = mapOf(handlers, said.services, options.mesh.names)
      const names = [...new Set(map.subjects.map(({ stream }) => stream))]
      return {
        at: new Date(atMs).toISOString(),
        streams: names.map((name) => {
          const { used = null, alarms = [] } = streams.find((one) => one.name === name) ?? {}
          return { name, storedPerSecond: storedPerSecond(samples, name), used, alarms: [...alarms] }
        }),
        subjects: map.subjects.map((subject) => ({ ...subject })),
        publishes: map.publishes.map((edge) => ({ ...edge })),
        // A shadow is no part of what flows.
        handlers: handlers
          .filter(({ isShadow }) => !isShadow)
          .map((listed) => {
            const { service, handler, lag, instances } = listed
            const { open, ...how } = watched(samples, listed)
            const hears = map.hears.filter((one) => one.service === service && one.handler === handler)
            return {
              service,
              handler,
              hears: hears.map(({ subject }) => subject),
              ...how,
              lag: lag?.messages ?? null,
              oldestMs: lag?.oldestMs ?? null,
              letters: open,
              instances: instances.length,
            }
          }),
        missing: [...said.missing, ...missing],
      }
    },
  )
}
