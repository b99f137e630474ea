import { type ArchivedEvent, type ClickHouseOptions, eachArchived } from '@malha/archive'
import { decodeAttribute } from '@malha/mesh'
import { showArchived, type ShownEvent } from '@malha/operations'
import { stringify } from 'csv-stringify'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { ConsoleError } from '../errors.ts'
import type { ApiDeps } from './deps.ts'
import { given } from './given.ts'
import { payloadView } from './payload-view.ts'
import { EventList, EventQuery, type EventView, ExportQuery } from './schemas/events.ts'
import { ProblemView } from './schemas/shared.ts'

/** A download may take its time. */
const EXPORT_MS = 600_000

/** Events of the archive: looked up, and taken along. Needs ClickHouse, not NATS. */
export function eventRoutes(app: FastifyInstance, { options, operations }: ApiDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/events',
    {
      config: { worksAway: true },
      schema: {
        summary: 'Events of the archive that fit, newest first',
        tags: ['events'],
        querystring: EventQuery,
        response: { 200: EventList, '4xx': ProblemView, '5xx': ProblemView },
      },
    },
    async ({ query: { limit, ...filter } }) => {
      // One at a time: a payload may have a megabyte, of which a page shows little.
      const events: EventView[] = []
      for await (const event of shown(eachArchived(archive(), { ...given(filter), limit: limit + 1 })))
        events.push(viewOf(event))
      return { events: events.slice(0, limit), isMore: events.length > limit }
    },
  )
  for (const form of ['csv', 'json'] as const)
    routes.get(
      `/events/export.${form}`,
      {
        config: { worksAway: true },
        schema: {
          summary: `The same as ${form.toUpperCase()}, with whole payloads, but for what is sensitive`,
          tags: ['events'],
          querystring: ExportQuery,
          response: { 200: z.any().describe('The file.'), '4xx': ProblemView, '5xx': ProblemView },
        },
        serializerCompiler: () => (data) => data as string,
      },
      async ({ query }, reply) => {
        const events = shown(eachArchived(archive(), { ...given(query), limit: query.limit, timeoutMs: EXPORT_MS }))
        // What is wrong is an answer as long as nothing was sent.
        const first = await events.next()
        return sendFile(reply, form, all(first, events))
      },
    )

  /** Without what is sensitive. */
  async function* shown(events: AsyncIterable<ArchivedEvent>): AsyncGenerator<ShownEvent> {
    const sensitivity = await operations.sensitivity()
    for await (const event of events) yield showArchived(sensitivity, event)
  }

  function archive(): ClickHouseOptions {
    if (!options.clickhouse) throw new ConsoleError('CONSOLE_NO_ARCHIVE', 'this console knows no archive')
    return options.clickhouse
  }
}

async function* all(first: IteratorResult<ShownEvent>, rest: AsyncIterable<ShownEvent>): AsyncGenerator<ShownEvent> {
  if (first.done) return
  yield first.value
  yield* rest
}

function sendFile(reply: FastifyReply, form: 'csv' | 'json', events: AsyncIterable<ShownEvent>): FastifyReply {
  const type = form === 'csv' ? 'text/csv; charset=utf-8' : 'application/json; charset=utf-8'
  const rows = Readable.from(form === 'csv' ? events : jsonOf(events))
  // A cell that begins like a formula is none in the program that opens it.
  const stream = form === 'csv' ? rows.pipe(stringify({ header: true, columns: COLUMNS, escape_formulas: true })) : rows
  rows.once('error', (error) => stream.destroy(error))
  return reply.type(type).header('content-disposition', `attachment; filename="events.${form}"`).send(stream)
}

const COLUMNS = [
  'publishedAt',
  'type',
  'id',
  'stream',
  'epoch',
  'seq',
  'subject',
  'producer',
  'correlationId',
  'causationId',
  'traceId',
  'occurredAt',
  'archivedAt',
  'payload',
  'payloadBase64',
  'hidden',
  'withheld',
] as const satisfies readonly (keyof ShownEvent)[]

async function* jsonOf(events: AsyncIterable<ShownEvent>): AsyncGenerator<string> {
  let before = '['
  for await (const event of events) {
    yield `${before}\n${JSON.stringify(event)}`
    before = ','
  }
  yield before === '[' ? '[]\n' : '\n]\n'
}

function viewOf({ payloadBase64, headers, hidden, withheld, ...event }: ShownEvent): EventView {
  const key = headers['ce-partitionkey']?.[0]
  return {
    ...event,
    key: key === undefined ? null : decodeAttribute(key),
    headers: Object.entries(headers).flatMap(([name, values]) =>
      values.map((value): [string, string] => [name, value]),
    ),
    payload: payloadView({
      payload: Buffer.from(payloadBase64, 'base64'),
      redaction: { hidden, withheld: withheld ?? undefined },
    }),
  }
}
