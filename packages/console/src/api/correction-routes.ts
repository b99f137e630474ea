import { type EditOptions, type Edited, OperationsError } from '@malha/operations'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { actorIn } from '../access/guard.ts'
import { changesView, MOST_CHANGES } from './changes.ts'
import type { ApiDeps } from './deps.ts'
import { row } from './letter-routes.ts'
import { indented, payloadView, textOf } from './payload-view.ts'
import { CorrectedView, CorrectionBody, CorrectionDecision, CorrectionView } from './schemas/corrections.ts'
import { SeqParams } from './schemas/letters.ts'
import { ProblemView } from './schemas/shared.ts'

const UNFIT = {
  binary: 'its payload is bytes that are no text, which no editor of text would keep as they are',
  empty: 'its payload is empty, so there is nothing to correct',
  'left-out': 'it has no payload: that did not fit beside the headers of the letter',
  expired: 'it has no payload: the events aged out before their handler was past them',
} as const

/** A letter's payload, corrected: the letter stays as it is, and what was changed stands beside it. */
export function correctionRoutes(app: FastifyInstance, { operations, reader }: ApiDeps): void {
  const { letters } = operations
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/letters/:seq/correction',
    {
      schema: {
        summary: 'The payload of a letter to be edited: as it came, and as it would be sent',
        tags: ['letters'],
        params: SeqParams,
        response: { 200: CorrectionView, '4xx': ProblemView },
      },
    },
    async ({ params: { seq } }) => {
      const whole = await letters.read(seq)
      const { form } = payloadView(whole)
      if (form in UNFIT) throw new OperationsError('OPERATIONS_EDIT_REFUSED', UNFIT[form as keyof typeof UNFIT])
      await reader.read()
      const { state = 'open', recordSeq = 0 } = letters.list({ letters: [seq] }, { limit: 1 }).letters[0] ?? {}
      const current = await letters.payloadToSend(seq)
      return { original: shown(whole.payload), current: shown(current), recordSeq, state }
    },
  )
  const view = ({ letter, changes, checkedBy }: Edited): CorrectedView => ({
    letter: row(letter),
    changes: changesView(changes),
    isCut: changes.length > MOST_CHANGES,
    checkedBy,
  })
  const schema = { tags: ['letters'], params: SeqParams, response: { 200: CorrectedView, '4xx': ProblemView } }
  const edit = async (seq: number, options: EditOptions): Promise<CorrectedView> =>
    view(await letters.edit(seq, options))
  routes.post(
    '/letters/:seq/correction/check',
    {
      config: { needs: 'operator' },
      schema: {
        ...schema,
        summary:
          'What a correction would change, and whether it fits; writes nothing. Not for viewers: it would tell what is hidden',
        body: CorrectionBody,
      },
    },
    async (request) => await edit(request.params.seq, { ...request.body, who: actorIn(request).name, dryRun: true }),
  )
  routes.post(
    '/letters/:seq/correction',
    {
      config: { needs: 'operator' },
      schema: {
        ...schema,
        summary: 'Correct the payload of an open letter: from now on it is sent so',
        body: CorrectionDecision,
      },
    },
    async (request) => await edit(request.params.seq, { ...request.body, who: actorIn(request).name }),
  )
}

/** What is no JSON is shown as it is: the correction takes its whole place. */
function shown(payload: Uint8Array): string {
  const text = textOf(payload) ?? ''
  return indented(text) ?? text
}
