import { mapOf } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { publishRates, storedPerSecond } from '../looks/rates.ts'
import { watched } from '../looks/watched.ts'
import type { ApiDeps } from './deps.ts'
import { ProblemView } from './schemas/shared.ts'
import { TopologyView } from './schemas/topology.ts'

/** The mesh as a picture. */
export function topologyRoutes(app: FastifyInstance, { options, sampler }: ApiDeps): void {
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
      const samples = await sampler.samples()
      const { handlers, streams, instances, said, atMs, missing } = samples.at(-1)!
      const published = instances.flatMap((one) =>
        (one.published ?? []).map(({ type }) => ({ service: one.service, type })),
      )
      const map = mapOf(handlers, { services: said.services, published }, options.mesh.names)
      const names = [...new Set(map.subjects.map(({ stream }) => stream))]
      return {
        at: new Date(atMs).toISOString(),
        streams: names.map((name) => {
          const { used = null, alarms = [] } = streams.find((one) => one.name === name) ?? {}
          return { name, storedPerSecond: storedPerSecond(samples, name), used, alarms: [...alarms] }
        }),
        subjects: map.subjects.map((subject) => ({ ...subject })),
        publishes: map.publishes.map((edge) => ({ ...edge, ...publishRates(samples, edge) })),
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
