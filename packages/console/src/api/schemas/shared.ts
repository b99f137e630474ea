import { z } from 'zod'

export const time = z.string().describe('RFC 3339')

export const ProblemView = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable; docs/reference/errors.md has a section for each.'),
    detail: z.string().describe('What happened, to what.'),
    fix: z.string().describe('What to do next.'),
    faults: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  // Not `Problem`: one process may describe several APIs, and zod knows a schema by its id alone.
  .meta({ id: 'ConsoleProblem' })
export type ProblemView = z.infer<typeof ProblemView>

export const text = z.string().max(2000).optional()

export const PayloadView = z
  .object({
    bytes: z.int(),
    form: z.enum(['json', 'text', 'binary', 'empty', 'left-out', 'expired', 'hidden']),
    text: z
      .string()
      .optional()
      .describe('Of text, its beginning; of JSON, with line breaks; of binary, a dump in hex.'),
    isCut: z.boolean().describe('Whether there is more than is shown; /payload has all.'),
    hidden: z.int().describe('How many values are hidden, because the contract marks them as sensitive.'),
    withheld: z.string().optional().describe('Why all of it is hidden.'),
  })
  .meta({ id: 'Payload' })
export type PayloadView = z.infer<typeof PayloadView>

/** Why; may be left out, with the whole body. */
export const Because = z.strictObject({ reason: z.string().trim().max(500).optional() }).nullish()
