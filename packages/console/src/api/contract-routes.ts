import type { KnownContract, PublishedEvent } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { actorIn } from '../access/guard.ts'
import { ConsoleError } from '../errors.ts'
import type { ApiDeps } from './deps.ts'
import {
  ContractList,
  ContractParams,
  type ContractRow,
  ContractView,
  EventBody,
  SentEvent,
} from './schemas/contracts.ts'
import { ProblemView } from './schemas/shared.ts'

/** Contracts of the mesh, and events that are sent by hand as they say. */
export function contractRoutes(app: FastifyInstance, { options, operations }: ApiDeps): void {
  const { contracts } = operations
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/contracts',
    {
      schema: {
        summary: 'The types that the services of the mesh said at their last start',
        tags: ['events'],
        response: { 200: ContractList, '4xx': ProblemView },
      },
    },
    async () => ({ contracts: (await contracts.list()).map(rowOf) }),
  )
  routes.get(
    '/contracts/:type',
    {
      schema: {
        summary: 'One type, with its JSON Schema',
        tags: ['events'],
        params: ContractParams,
        response: { 200: ContractView, '4xx': ProblemView },
      },
    },
    async ({ params: { type } }) => {
      const known = await contracts.read(type)
      const { key, priorities, schemas } = known
      const isKeyAsked = key?.startsWith('computed') ?? false
      return { ...rowOf(known), key, isKeyAsked, priorities, schema: schemas[0]!.schema }
    },
  )
  const sending = (
    who: string,
    { type, data, deliverInMs, ...body }: EventBody,
    dryRun: boolean,
  ): Promise<PublishedEvent> => {
    if (!options.sendsEvents) throw new ConsoleError('CONSOLE_SENDING_OFF', 'this console sends no events by hand')
    return contracts.publish(type, data, { ...body, deliverIn: deliverInMs, who, dryRun })
  }
  routes.post(
    '/events/check',
    {
      config: { needs: 'viewer' },
      schema: {
        summary: 'Whether an event fits its contract, and where it would go; stores nothing',
        tags: ['events'],
        body: EventBody,
        response: { 200: SentEvent, '4xx': ProblemView },
      },
    },
    async (request) => await sending(actorIn(request).name, request.body, true),
  )
  routes.post(
    '/events',
    {
      config: { needs: 'operator' },
      schema: {
        summary: 'Send one event, as its service would; only where the console was told that it may',
        tags: ['events'],
        body: EventBody,
        response: { 201: SentEvent, '4xx': ProblemView },
      },
    },
    async (request, reply) => {
      const sent = await sending(actorIn(request).name, request.body, false)
      return await reply.code(201).send(sent)
    },
  )
}

function rowOf({ type, kind, version, contentType, stream, handledBy, publishedBy }: KnownContract): ContractRow {
  const unfit =
    kind === 'request'
      ? 'a request is asked, not published'
      : contentType === 'application/json'
        ? null
        : `it is written as ${contentType}, which only its own code can`
  const who = { handledBy: [...handledBy], publishedBy: [...publishedBy] }
  return { type, kind, version, stream: stream?.name ?? null, ...who, unfit }
}
