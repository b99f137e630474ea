import { answerOf, type Journey, timeScale, type TimeScale, type WaterfallRow, waterfallOf } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { ApiDeps } from './deps.ts'
import { JourneyQuery, JourneyView, type Step } from './schemas/journey.ts'
import { ProblemView } from './schemas/shared.ts'

/** How finely time is drawn. */
const COLUMNS = 1000
/** Time in which nothing happened is cut short, where it is long enough to be noticed. */
const AXIS = { breakColumns: 40, leastColumns: 12, leastBreakMs: 250 }

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
    async ({ query: { of } }): Promise<JourneyView> => {
      const journey = await operations.journey(of)
      const asked = await operations.why(of)
      // `why` knows ids and keys; of a trace or a correlation it is asked of all that was found.
      const isElsewhere = asked.as === undefined && journey.roots.length > 0
      const { situation, sentence, next = null } = isElsewhere ? answerOf(journey) : asked
      const rows = waterfallOf(journey, new Date())
      const scale = timeScale(rows.flatMap(moments), COLUMNS, AXIS)
      return {
        as: journey.as ?? asked.as ?? null,
        answer: { situation, sentence, next },
        events: journey.events,
        steps: rows.map((row) => stepOf(row, scale)),
        axis: {
          columns: COLUMNS,
          stretches: scale.stretches.map(({ kind, startNs, endNs, column, columns }) => ({
            kind,
            from: column,
            to: column + columns,
            startAt: new Date(Number(startNs / 1_000_000n)).toISOString(),
            ms: Number(endNs - startNs) / 1e6,
          })),
        },
        traces: tracesOf(journey),
        missing: [...new Set([...journey.missing, ...asked.missing])],
      }
    },
  )
}

/** When something happened: what only waits may be cut out of the axis. */
const moments = ({ bars }: WaterfallRow): { startNs: bigint; endNs: bigint }[] =>
  bars.flatMap(({ kind, startNs, endNs }) => {
    if (kind === 'open' || kind === 'waits') return [{ startNs: endNs, endNs }]
    return [{ startNs, endNs }]
  })

function stepOf(row: WaterfallRow, scale: TimeScale): Step {
  const bars = row.bars.map(({ kind, startNs, endNs }) => ({ kind, ...scale.place(startNs, endNs) }))
  const { depth } = row
  if (row.kind === 'handler') {
    const { service, handler, situation, sentence } = row.handler
    return { kind: 'handler', depth, title: `${service}/${handler}`, situation, sentence, bars }
  }
  if (row.kind === 'run') {
    const {
      run,
      kind,
      at,
      result,
      attempts = null,
      code = null,
      message = null,
      traceId = null,
      copyId = null,
    } = row.run
    return { kind: 'run', depth, at, run, title: kind, result, attempts, code, message, traceId, copyId, bars }
  }
  if (row.kind === 'attempt') {
    const { attempt, at, isFailed, failure, tookMs = null } = row
    return {
      kind: 'attempt',
      depth,
      at,
      title: `attempt ${attempt}`,
      isFailed,
      code: failure?.code ?? null,
      message: failure?.message ?? null,
      nextAttemptAt: failure?.nextAttemptAt ?? null,
      tookMs,
      bars,
    }
  }
  const { event, publishedBy, copy } = row.hop
  const { type, subject, key, id, traceId, stream, seq, storedAt, foundIn } = event
  return {
    kind: 'event',
    depth,
    at: storedAt,
    title: type ?? subject,
    key: key ?? null,
    id: id ?? null,
    copy: copy ? { id: copy.id, of: copy.of, run: copy.run } : null,
    traceId: traceId ?? null,
    from: [event.service, publishedBy].filter(Boolean).join('/') || null,
    where: `${stream} ${seq}${foundIn === 'stream' ? '' : ` (${foundIn})`}`,
    bars,
  }
}

/** Each once, in the order of the tree. */
function tracesOf({ roots }: Pick<Journey, 'roots'>): string[] {
  const all = roots.flatMap(function idsOf({ event, caused }): string[] {
    return [...(event.traceId ? [event.traceId] : []), ...caused.flatMap(idsOf)]
  })
  return [...new Set(all)]
}
