import type { ReplayOf } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { actorIn } from '../access/guard.ts'
import { ConsoleError } from '../errors.ts'
import type { ApiDeps } from './deps.ts'
import { given } from './given.ts'
import { runView } from './run-view.ts'
import { ReplayBody, ReplayPlanView, ReplaySelection } from './schemas/replays.ts'
import { RunView } from './schemas/runs.ts'
import { ProblemView } from './schemas/shared.ts'

/** Replays: events that were handled, to one handler once more. A replay that has begun is a run. */
export function replayRoutes(app: FastifyInstance, { options, operations, workers }: ApiDeps): void {
  const { runs } = operations
  const { names } = options.mesh
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const asked = ({ service, handler, stream, asNew, ...which }: ReplaySelection): ReplayOf => {
    if (which.archive && !options.clickhouse)
      throw new ConsoleError(
        'CONSOLE_NO_ARCHIVE',
        'these events are read from the archive, and this console knows none',
      )
    const { fromSeq, toSeq, since, until, ...rest } = which
    const prefix = names.stream('')
    const from = {
      ...given(rest),
      ...(stream !== undefined && { stream: stream.startsWith(prefix) ? stream.slice(prefix.length) : stream }),
      seqs: given({ from: fromSeq, to: toSeq }),
      times: given({ from: since, to: until }),
    }
    return { service, handler, asNew: asNew ?? false, from }
  }
  routes.post(
    '/replays/plan',
    {
      config: { needs: 'viewer' },
      schema: {
        summary: 'How many events a replay would send if it began now, and the oldest of them; sends nothing',
        tags: ['runs'],
        body: ReplaySelection,
        response: { 200: ReplayPlanView, '4xx': ProblemView, '5xx': ProblemView },
      },
    },
    async ({ body }) => {
      const { samples, ...plan } = await runs.planReplay(asked(body))
      return { ...plan, samples: samples.map((sample) => ({ ...sample })) }
    },
  )
  routes.post(
    '/replays',
    {
      config: { needs: 'operator' },
      schema: {
        summary: 'Send events of a stream, or of the archive, to one handler again, and to nobody else',
        tags: ['runs'],
        body: ReplayBody,
        response: { 201: RunView, '4xx': ProblemView, '5xx': ProblemView },
      },
    },
    async (request, reply) => {
      const { limits = {}, reason, upTo, ...selection } = request.body
      const who = actorIn(request).name
      const run = await runs.replay({ ...asked(selection), upTo, who, reason, limits: given(limits) })
      workers.start(run.id, { who, reason })
      return await reply.code(201).send(runView(workers, run))
    },
  )
}
