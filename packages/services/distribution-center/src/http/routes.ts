import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import type { Centers } from '../centers.ts'
import { derivedCenterId, randomCenterId } from './center-id.ts'
import { Problem } from './problem.ts'
import * as schemas from './schemas.ts'
import { checked } from './validate.ts'

type Description = { description: string; content: Record<string, { schema: z.ZodType }> }

const answer = (schema: z.ZodType, description: string): Description => ({
  description,
  content: { 'application/json': { schema } },
})
const problem = (description: string): Description => ({
  description,
  content: { 'application/problem+json': { schema: schemas.ProblemBody } },
})

const CLIENT_FAULTS = {
  400: problem('Malformed JSON, or faults in headers, query or path. Nothing was done.'),
  503: problem('The broker is away. Send the request again after `Retry-After`.'),
}

export function centerRoutes(app: FastifyInstance, centers: Centers): void {
  registerRoute(app, centers)
  findRoute(app, centers)
  pageRoute(app, centers)
  refuseOtherMethods(app, '/centers', ['GET', 'HEAD', 'POST'])
  refuseOtherMethods(app, '/centers/:id', ['GET', 'HEAD'])
}

function registerRoute(app: FastifyInstance, centers: Centers): void {
  const request = { body: schemas.RegisterBody, headers: schemas.RegisterHeaders }
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'POST',
    url: '/centers',
    schema: {
      operationId: 'registerCenter',
      summary: 'Register a distribution centre',
      description:
        'Answers as soon as the registration is stored, or, while the broker is away, on the disk of this instance (`queued`); the partners are told afterwards, for as long as it takes. With an `Idempotency-Key` the request can be repeated safely for 30 days.',
      ...request,
      response: {
        202: answer(schemas.Accepted, 'Registered. `Location` names the centre.'),
        ...CLIENT_FAULTS,
        413: problem('The body has more than 64 KiB.'),
        415: problem('The body is not application/json.'),
        422: problem('The body has faults, or the idempotency key belongs to another body. Nothing was done.'),
      },
    },
    ...checked(request),
    handler: async ({ headers, body }, reply) => {
      const key = headers['idempotency-key']
      const id = key === undefined ? randomCenterId() : derivedCenterId(headers['x-client-id'] ?? 'anonymous', key)
      const { traceId, queued } = await centers.register(id, body)
      const self = `/centers/${id}`
      return reply
        .code(202)
        .header('location', self)
        .send({ id, status: 'registered', traceId, links: { self }, ...(queued && { queued }) })
    },
  })
}

function findRoute(app: FastifyInstance, centers: Centers): void {
  const request = { params: schemas.CenterParams }
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/centers/:id',
    schema: {
      operationId: 'getCenter',
      summary: 'A centre and how far each partner is',
      ...request,
      response: { 200: answer(schemas.CenterView, 'The centre.'), ...CLIENT_FAULTS, 404: problem('No such centre.') },
    },
    ...checked(request),
    handler: async ({ params }, reply) => {
      const center = await centers.find(params.id)
      if (center === undefined)
        throw new Problem(
          'unknown-center',
          `There is no centre ${params.id}. Check the id that POST /centers answered.`,
        )
      return reply.send(center)
    },
  })
}

function pageRoute(app: FastifyInstance, centers: Centers): void {
  const request = { querystring: schemas.ListQuery }
  app.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/centers',
    schema: {
      operationId: 'listCenters',
      summary: 'Centres in order of registration',
      description:
        'A new centre appears within moments of its registration. A page costs as many reads as it has centres; with `status` up to 1000 are looked through, so that a page may be short and still have a `next`.',
      ...request,
      response: { 200: answer(schemas.CenterPage, 'A page.'), ...CLIENT_FAULTS },
    },
    ...checked(request),
    handler: async ({ query, url }, reply) => {
      const { centers: found, next } = await centers.page({
        after: query.after,
        limit: query.limit,
        status: query.status,
      })
      const links = { self: url, ...(next !== null && { next: nextLink(query, next) }) }
      return reply.send({ centers: [...found], next, links })
    },
  })
}

function nextLink(query: z.infer<typeof schemas.ListQuery>, next: string): string {
  const params = new URLSearchParams({
    after: next,
    limit: String(query.limit),
    ...(query.status && { status: query.status }),
  })
  return `/centers?${params.toString()}`
}

function refuseOtherMethods(app: FastifyInstance, url: string, allowed: readonly string[]): void {
  const allow = allowed.join(', ')
  app.route({
    method: app.supportedMethods.filter((method) => !allowed.includes(method)),
    url,
    schema: { hide: true },
    // Before the body is read: what is refused anyway need not arrive.
    onRequest: (request) => {
      throw new Problem('method-not-allowed', `${url} takes ${allow}, not ${request.method}.`, { headers: { allow } })
    },
    handler: () => undefined,
  })
}
