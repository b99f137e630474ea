import { type AccountUsage, examine, readAccount } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { problemOf } from '../http/problem.ts'
import type { ApiDeps } from './deps.ts'
import { DiagnosisView, LimitsView } from './schemas/limits.ts'
import { ProblemView } from './schemas/shared.ts'
import { streamRow } from './stream-row.ts'

/** An examination takes seconds, and several may ask at once, ms. */
const KEPT_MS = 5000

/** What bounds the mesh, and what is wrong with it. */
export function limitRoutes(app: FastifyInstance, { options: { mesh }, sampler }: ApiDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/limits',
    {
      schema: {
        summary: 'What bounds this mesh: streams, what handlers may have in hand, the account',
        tags: ['limits'],
        response: { 200: LimitsView, '4xx': ProblemView, '5xx': ProblemView },
      },
    },
    async (): Promise<LimitsView> => {
      const unseen: string[] = []
      const [samples, account] = await Promise.all([
        sampler.samples(),
        readAccount(mesh).catch((error: unknown) => {
          unseen.push(`the account: ${problemOf(error).detail}`)
          return undefined
        }),
      ])
      const { streams, handlers, missing } = samples.at(-1)!
      return {
        streams: streams.map((one) => streamRow(samples, one)),
        durables: handlers.flatMap(({ service, handler, durables }) =>
          durables.map(({ stream, durable, ackPending, maxAckPending }) => ({
            service,
            handler,
            stream,
            durable,
            ackPending,
            maxAckPending,
          })),
        ),
        account: account ? accountRows(account) : [],
        missing: [...missing, ...unseen],
      }
    },
  )
  let kept: { found: Promise<DiagnosisView>; atMs: number } | undefined
  routes.get(
    '/doctor',
    {
      schema: {
        summary: 'What `malha doctor` finds, each with what to do; takes seconds, reads only',
        tags: ['limits'],
        response: { 200: DiagnosisView, '4xx': ProblemView, '5xx': ProblemView },
      },
    },
    () => {
      if (!kept || Date.now() - kept.atMs > KEPT_MS) kept = { found: diagnose(), atMs: Date.now() }
      return kept.found
    },
  )

  async function diagnose(): Promise<DiagnosisView> {
    const { state, findings } = await examine(mesh)
    return { at: new Date().toISOString(), state, findings: findings.map((one) => ({ ...one })) }
  }
}

function accountRows(usage: AccountUsage): LimitsView['account'] {
  const { limits = {} } = usage
  const row = (what: string, unit: 'bytes' | 'count', [used = 0, most = -1]: (number | undefined)[]) => ({
    what,
    unit,
    used,
    most: most > 0 ? most : null,
  })
  return [
    row('storage on file', 'bytes', [usage.storage, limits.max_storage]),
    row('of that reserved by limits of streams', 'bytes', [usage.reserved_storage, limits.max_storage]),
    row('memory', 'bytes', [usage.memory, limits.max_memory]),
    row('streams', 'count', [usage.streams, limits.max_streams]),
    row('consumers', 'count', [usage.consumers, limits.max_consumers]),
  ]
}
