import { z } from 'zod'
import { Change } from './changes.ts'
import { LetterRow } from './letters.ts'

export const CorrectionView = z
  .object({
    original: z.string().describe('The payload as it came; JSON with line breaks.'),
    current: z.string().describe('As it would be sent: with the latest correction.'),
    recordSeq: z.int().describe('Send it along to correct what you saw.'),
    state: z.string(),
  })
  .meta({ id: 'Correction' })
export type CorrectionView = z.infer<typeof CorrectionView>

export const CorrectionBody = z.strictObject({
  payload: z
    .string()
    .max(1024 ** 2 + 64 * 1024)
    .describe('What is to be sent instead: JSON, all of it.'),
  seen: z.int().nonnegative().optional().describe('`recordSeq` of the letter you saw: 409 when it has changed since.'),
})
export const CorrectionDecision = CorrectionBody.extend({
  reason: z.string().trim().min(1, 'say why: others will read it').max(500),
})

export const CorrectedView = z
  .object({
    letter: LetterRow,
    changes: z.array(Change).describe('Of the original payload; 200 at most.'),
    isCut: z.boolean().describe('Whether there are more.'),
    checkedBy: z.string().nullable().describe('The contract it fits, as the services said it; null: nobody said one.'),
  })
  .meta({ id: 'Corrected' })
export type CorrectedView = z.infer<typeof CorrectedView>
