import type { OperationRecord } from '@malha/mesh'
import type { JsonChange, ListedLetter, ShownLetter } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actorIn } from '../access/guard.ts'
import { countsOf } from '../live/counts.ts'
import { changesView } from './changes.ts'
import type { ApiDeps } from './deps.ts'
import { payloadView } from './payload-view.ts'
import {
  Decision,
  type HistoryRow,
  LetterPageView,
  LetterQuery,
  LetterRow,
  SeqParams,
  WholeLetterView,
} from './schemas/letters.ts'
import { ProblemView } from './schemas/shared.ts'

/** Dead letters: looked through, and decided on. */
export function letterRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { letters } = deps.operations
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/letters',
    {
      config: { worksAway: true },
      schema: {
        summary: 'The letters that fit, newest first, and the groups of those that failed in the same way',
        tags: ['letters'],
        querystring: LetterQuery,
        response: { 200: LetterPageView, '4xx': ProblemView },
      },
    },
    async ({ query: { limit, after, ...filter } }) => {
      const asOf = await deps.reader.read()
      const { next = null, ...page } = letters.list(inUtc(filter), { limit, after })
      return {
        ...page,
        letters: [...page.letters].map(row),
        groups: [...page.groups],
        next,
        counts: countsOf(letters),
        asOf,
      }
    },
  )
  routes.get(
    '/letters/:seq',
    {
      schema: {
        summary: 'One letter whole: payload, headers, stack, attempts, and what was done with it',
        tags: ['letters'],
        params: SeqParams,
        response: { 200: WholeLetterView, '4xx': ProblemView },
      },
    },
    async ({ params: { seq } }) => await viewOf(await letters.read(seq)),
  )
  routes.post(
    '/letters/:seq/reveal',
    {
      config: { needs: 'admin' },
      schema: {
        summary: 'The same with what its contract marks as sensitive; written down',
        tags: ['letters'],
        params: SeqParams,
        body: Decision.pick({ reason: true }),
        response: { 200: WholeLetterView, '4xx': ProblemView },
      },
    },
    async (request) =>
      await viewOf(await letters.reveal(request.params.seq, { who: actorIn(request).name, ...request.body })),
  )
  async function viewOf(whole: ShownLetter): Promise<WholeLetterView> {
    const { seq } = whole
    const [history, holdsKey] = await Promise.all([
      letters.history(whole.subject),
      letters.holdsKey(whole),
      deps.reader.read(),
    ])
    const { state = 'open', recordSeq = 0, run, redrives = 0 } = listed(seq) ?? {}
    const standing = { state, recordSeq, run, redrives }
    const headers = whole.headers.map(([name, value]): [string, string] => [name, value])
    return {
      ...row({ ...whole, ...standing }),
      stack: whole.stack,
      headers,
      payload: payloadView(whole),
      holdsKey,
      history: history.map(historyRow),
    }
  }
  routes.get(
    '/letters/:seq/payload',
    {
      schema: {
        summary: "The payload's bytes, as they came but for what is sensitive",
        tags: ['letters'],
        params: SeqParams,
        response: { 200: z.any().describe('The bytes.'), '4xx': ProblemView },
      },
      serializerCompiler: () => (data) => data as string,
    },
    async ({ params: { seq } }, reply) => {
      const { payload } = await letters.read(seq)
      // Never shown by a browser as what it says it is.
      return await reply
        .type('application/octet-stream')
        .header('content-disposition', `attachment; filename="letter-${seq}.bin"`)
        .send(Buffer.from(payload))
    },
  )
  for (const act of ['discard', 'reopen'] as const)
    routes.post(
      `/letters/:seq/${act}`,
      {
        config: { needs: 'operator' },
        schema: {
          summary:
            act === 'discard'
              ? 'Say of an open letter that it need not be done'
              : 'Say of a discarded letter that it must be done',
          tags: ['letters'],
          params: SeqParams,
          body: Decision,
          response: { 200: LetterRow, '4xx': ProblemView },
        },
      },
      async (request) => row(await letters[act](request.params.seq, { who: actorIn(request).name, ...request.body })),
    )

  /** How a letter stands, from the index. */
  function listed(seq: number): ListedLetter | undefined {
    return letters.list({ letters: [seq] }, { limit: 1 }).letters[0]
  }
}

/** What was done with a letter; of a correction, what it changed. */
function historyRow(record: OperationRecord): HistoryRow {
  if (record.kind !== 'edited') return record
  const { patch, ...rest } = record
  return { ...rest, changes: changesView(patch as readonly JsonChange[]) }
}

/** Its arrays may be written to. */
export function row(letter: Omit<ListedLetter, 'editSeq' | 'isGone'>): LetterRow {
  return { ...letter, attemptTimes: [...letter.attemptTimes] }
}

/** As the mesh writes times, so that text is compared with text. */
export function inUtc<T extends { since?: string | undefined; until?: string | undefined }>(filter: T): T {
  const utc = (text: string | undefined): string | undefined => text && new Date(text).toISOString()
  return { ...filter, since: utc(filter.since), until: utc(filter.until) }
}
