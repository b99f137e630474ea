import { type ListedHandler, OperationsError } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { actorIn } from '../access/guard.ts'
import type { Sample } from '../looks/sampler.ts'
import { chartsOf, watched } from '../looks/watched.ts'
import type { ApiDeps } from './deps.ts'
import {
  HandlerList,
  HandlerPageView,
  HandlerParams,
  HandlerView,
  LimitsBody,
  PauseBody,
  ResumeBody,
} from './schemas/handlers.ts'
import { ProblemView } from './schemas/shared.ts'
import { streamRow } from './stream-row.ts'

/** Handlers: how they stand, and a hand on them. */
export function handlerRoutes(app: FastifyInstance, { operations, sampler }: ApiDeps): void {
  const { handlers } = operations
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/handlers',
    {
      schema: {
        summary: 'Every handler: what it has before it, and what each running process says of it',
        tags: ['handlers'],
        response: { 200: HandlerList, '4xx': ProblemView },
      },
    },
    async () => {
      const samples = await sampler.samples()
      return { handlers: samples.at(-1)!.handlers.map((listed) => viewOf(samples, listed)) }
    },
  )
  routes.get(
    '/handlers/:service/:handler',
    {
      schema: {
        summary: 'One handler with its limits, its streams, and how it did in the last minutes',
        tags: ['handlers'],
        params: HandlerParams,
        response: { 200: HandlerPageView, '4xx': ProblemView },
      },
    },
    async ({ params }) => {
      const samples = await sampler.samples()
      const { streams, missing } = samples.at(-1)!
      const listed = handlerIn(samples, params)
      return {
        handler: viewOf(samples, listed),
        streams: streams.filter(({ name }) => listed.streams.includes(name)).map((one) => streamRow(samples, one)),
        charts: chartsOf(samples, listed),
        missing: [...missing],
      }
    },
  )
  const one = async (service: string, handler: string): Promise<HandlerView> => {
    const samples = await sampler.samplesFromNow()
    return viewOf(samples, handlerIn(samples, { service, handler }))
  }
  const schema = { tags: ['handlers'], params: HandlerParams, response: { 200: HandlerView, '4xx': ProblemView } }
  routes.post(
    '/handlers/:service/:handler/pause',
    {
      config: { needs: 'operator' },
      schema: { ...schema, summary: 'Start nothing more, in all instances; what runs ends as always', body: PauseBody },
    },
    async (request) => {
      const { service, handler } = request.params
      await handlers.pause({ service, handler, who: actorIn(request).name, ...request.body })
      return await one(service, handler)
    },
  )
  routes.post(
    '/handlers/:service/:handler/resume',
    {
      config: { needs: 'operator' },
      schema: { ...schema, summary: 'The opposite', body: ResumeBody },
    },
    async (request) => {
      const { service, handler } = request.params
      await handlers.resume({ service, handler, who: actorIn(request).name, ...request.body })
      return await one(service, handler)
    },
  )
  routes.post(
    '/handlers/:service/:handler/limits',
    {
      config: { needs: 'admin' },
      schema: { ...schema, summary: 'How much each process does at once, or a second', body: LimitsBody },
    },
    async (request) => {
      const { service, handler } = request.params
      const { perSecond, ...rest } = request.body
      const rateLimit = typeof perSecond === 'number' ? { perSecond } : perSecond
      await handlers.set({ service, handler, who: actorIn(request).name, ...rest, rateLimit })
      return await one(service, handler)
    },
  )
}

function handlerIn(
  samples: readonly Sample[],
  { service, handler }: { service: string; handler: string },
): ListedHandler {
  const found = samples.at(-1)!.handlers.find((each) => each.service === service && each.handler === handler)
  if (found) return found
  const detail = `there is no handler ${JSON.stringify(handler)} of a service ${JSON.stringify(service)} on this server`
  throw new OperationsError('OPERATIONS_NO_HANDLER', detail)
}

function viewOf(samples: readonly Sample[], listed: ListedHandler): HandlerView {
  const { open, ...how } = watched(samples, listed)
  const { streams, instances, durables } = listed
  return { ...listed, ...how, streams: [...streams], instances: [...instances], durables: [...durables], letters: open }
}
