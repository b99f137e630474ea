import type { ListedHandler } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { actorIn } from '../access/guard.ts'
import type { ApiDeps } from './deps.ts'
import { HandlerList, HandlerParams, HandlerView, LimitsBody, PauseBody, ResumeBody } from './schemas/handlers.ts'
import { ProblemView } from './schemas/shared.ts'

/** Handlers: how they stand, and a hand on them. */
export function handlerRoutes(app: FastifyInstance, { operations, reader }: ApiDeps): void {
  const { handlers, letters } = operations
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const viewOf = (listed: ListedHandler): HandlerView => {
    const { service, handler } = listed
    const open = letters.list({ service, handler, state: 'open' }, { limit: 1 }).total
    return { ...listed, streams: [...listed.streams], instances: [...listed.instances], letters: open }
  }
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
      const [listed] = await Promise.all([handlers.list(), reader.read().catch(() => undefined)])
      return { handlers: listed.map(viewOf) }
    },
  )
  const one = async (service: string, handler: string): Promise<HandlerView> => {
    const listed = await handlers.list()
    return viewOf(listed.find((each) => each.service === service && each.handler === handler)!)
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
