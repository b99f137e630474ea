import type { HandlerHop, Hop } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { ApiDeps } from './deps.ts'
import { JourneyQuery, JourneyView, type Step } from './schemas/journey.ts'
import { ProblemView } from './schemas/shared.ts'

/** What a message led to, hop by hop, and why it is not done. */
export function journeyRoutes(app: FastifyInstance, { operations }: ApiDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/journey',
    {
      schema: {
        summary: 'All that a message led to, and why it is not done: by message id, correlation id, trace id or key',
        tags: ['journey'],
        querystring: JourneyQuery,
        response: { 200: JourneyView, '4xx': ProblemView, '5xx': ProblemView },
      },
    },
    async ({ query: { of } }) => {
      const journey = await operations.journey(of)
      const answer = await operations.why(of)
      const { situation, sentence, next = null } = answer
      return {
        as: journey.as ?? answer.as ?? null,
        answer: { situation, sentence, next },
        events: journey.events,
        steps: journey.roots.flatMap((root) => stepsOf(root, 0)),
        missing: [...new Set([...journey.missing, ...answer.missing])],
      }
    },
  )
}

/** A tree as its lines: each with how deep it stands. What a handler published stands below it. */
function stepsOf({ event, handlers, caused, publishedBy }: Hop, depth: number): Step[] {
  const { type, subject, key, id, traceId, stream, seq, storedAt, foundIn } = event
  const isOf = (hop: Hop, { handler, service }: HandlerHop): boolean =>
    hop.publishedBy === handler && hop.event.service === service
  const rest = caused.filter((hop) => !handlers.some((handler) => isOf(hop, handler)))
  return [
    {
      kind: 'event',
      depth,
      at: storedAt,
      title: type ?? subject,
      key: key ?? null,
      id: id ?? null,
      traceId: traceId ?? null,
      from: [event.service, publishedBy].filter(Boolean).join('/') || null,
      where: `${stream} ${seq}${foundIn === 'stream' ? '' : ` (${foundIn})`}`,
    },
    ...handlers.flatMap((handler): Step[] => [
      {
        kind: 'handler',
        depth: depth + 1,
        title: `${handler.service}/${handler.handler}`,
        situation: handler.situation,
        sentence: handler.sentence,
      },
      ...handler.attempts.map(({ attempt, at, code, message, nextAttemptAt }): Step => ({
        kind: 'attempt',
        depth: depth + 2,
        at,
        title: `attempt ${attempt}`,
        code,
        message,
        nextAttemptAt: nextAttemptAt ?? null,
      })),
      ...caused.filter((hop) => isOf(hop, handler)).flatMap((hop) => stepsOf(hop, depth + 2)),
    ]),
    ...rest.flatMap((hop) => stepsOf(hop, depth + 1)),
  ]
}
