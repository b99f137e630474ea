import type { Actor, Run } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { actorIn } from '../access/guard.ts'
import { allows } from '../access/role.ts'
import { ConsoleError } from '../errors.ts'
import type { ApiDeps } from './deps.ts'
import { given } from './given.ts'
import { inUtc, row } from './letter-routes.ts'
import { runView } from './run-view.ts'
import { LetterSelection } from './schemas/letters.ts'
import { PlanView, RedriveBody, RunList, RunParams, RunView } from './schemas/runs.ts'
import { Because, ProblemView } from './schemas/shared.ts'

/** Redrives: planned, begun, looked at, and a hand on them. */
export function runRoutes(app: FastifyInstance, { operations, workers }: ApiDeps): void {
  const { runs } = operations
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const viewOf = (run: Run): RunView => runView(workers, run)
  routes.post(
    '/runs/plan',
    {
      config: { needs: 'viewer' },
      schema: {
        summary: 'What a redrive would send, if it began now; sends nothing',
        tags: ['runs'],
        body: LetterSelection,
        response: { 200: PlanView, '4xx': ProblemView },
      },
    },
    async ({ body }) => {
      const { total, upTo, handlers, samples } = await runs.plan(inUtc(body))
      return { total, upTo, handlers: [...handlers], samples: samples.map(row) }
    },
  )
  routes.post(
    '/runs',
    {
      config: { needs: 'operator' },
      schema: {
        summary: 'Send open letters to their handlers again, and to nobody else',
        tags: ['runs'],
        body: RedriveBody,
        response: { 201: RunView, '4xx': ProblemView },
      },
    },
    async (request, reply) => {
      const { filter, limits = {}, ...rest } = request.body
      const actor = actorIn(request)
      if (Object.values(filter).every((value) => value === undefined) && !allows(actor.role, 'admin'))
        throw new ConsoleError(
          'CONSOLE_ROLE_LACKING',
          `every open letter at once needs admin; ${actor.name} is ${actor.role}`,
        )
      const run = await runs.redrive({ ...rest, filter: inUtc(filter), who: actor.name, limits: given(limits) })
      workers.start(run.id, { who: actor.name, reason: rest.reason })
      return await reply.code(201).send(viewOf(run))
    },
  )
  routes.get(
    '/runs',
    { schema: { summary: 'The newest first', tags: ['runs'], response: { 200: RunList, '4xx': ProblemView } } },
    async () => ({ runs: (await runs.list()).slice(0, 500).map(viewOf) }),
  )
  routes.get(
    '/runs/:id',
    {
      schema: {
        summary: 'How a run stands',
        tags: ['runs'],
        params: RunParams,
        response: { 200: RunView, '4xx': ProblemView },
      },
    },
    async ({ params: { id } }) => viewOf(await runs.read(id)),
  )
  const acts = {
    pause: ['Send nothing more until it is resumed', async (id: string, actor: Actor) => await runs.pause(id, actor)],
    resume: [
      'Send again, here when nobody else does',
      async (id: string, actor: Actor) => {
        const wasPaused = await runs.read(id)
        const run = await runs.resume(id, actor)
        if (viewOf({ ...wasPaused, state: 'running' }).isUnattended) workers.start(id, actor)
        return run
      },
    ],
    cancel: [
      'Send nothing more; what was sent is handled',
      async (id: string, actor: Actor) => await runs.cancel(id, actor),
    ],
    work: [
      'Go on with a run that nobody works on, or take it over',
      async (id: string, actor: Actor) => {
        const run = await runs.read(id)
        workers.start(id, actor)
        return run
      },
    ],
  } as const
  for (const [name, [summary, act]] of Object.entries(acts))
    routes.post(
      `/runs/:id/${name}`,
      {
        config: { needs: 'operator' },
        schema: {
          summary,
          tags: ['runs'],
          params: RunParams,
          body: Because,
          response: { 200: RunView, '4xx': ProblemView },
        },
      },
      async (request) => viewOf(await act(request.params.id, { who: actorIn(request).name, ...request.body })),
    )
}
