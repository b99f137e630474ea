import { z } from 'zod'
import { time } from './shared.ts'

export const JourneyQuery = z.strictObject({
  of: z.string().trim().min(1).max(256).describe('A message id, a correlation id, a trace id or a key.'),
})

const Bar = z.object({
  kind: z
    .enum(['stored', 'ran', 'failed', 'waits', 'open'])
    .describe('`waits`: from a failure to the next attempt; `open`: not done, up to now.'),
  from: z.int().describe('Column of the axis.'),
  to: z.int(),
})
const bars = z.array(Bar)

export const Step = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('event'),
      depth: z.int(),
      at: time,
      title: z.string(),
      key: z.string().nullable(),
      id: z.string().nullable(),
      copy: z
        .object({ id: z.string(), of: z.string(), run: z.string() })
        .nullable()
        .describe('The new message that it came of, what a run made that of, and the run.'),
      traceId: z.string().nullable(),
      from: z.string().nullable(),
      where: z.string(),
      bars,
    }),
    z.object({
      kind: z.literal('handler'),
      depth: z.int(),
      title: z.string(),
      situation: z.string(),
      sentence: z.string(),
      bars,
    }),
    z.object({
      kind: z.literal('run'),
      depth: z.int(),
      at: time,
      run: z.string().describe('Its id.'),
      title: z.enum(['redrive', 'replay']),
      result: z.enum(['under-way', 'ok', 'already', 'failed', 'gone']),
      attempts: z.int().nullable(),
      code: z.string().nullable().describe('Of one that failed again.'),
      message: z.string().nullable(),
      traceId: z.string().nullable().describe('The trace that it has for itself.'),
      copyId: z.string().nullable().describe('Of a replay as new messages: the id of this one.'),
      bars,
    }),
    z.object({
      kind: z.literal('attempt'),
      depth: z.int(),
      at: time,
      title: z.string(),
      isFailed: z.boolean(),
      code: z.string().nullable(),
      message: z.string().nullable(),
      nextAttemptAt: z.string().nullable(),
      tookMs: z.number().nullable().describe('Where its trace says.'),
      bars,
    }),
  ])
  .meta({ id: 'Step' })
export type Step = z.infer<typeof Step>

export const JourneyView = z
  .object({
    as: z.string().nullable().describe('What it was found to be; null: nothing was found.'),
    answer: z.object({ situation: z.string(), sentence: z.string(), next: z.string().nullable() }),
    events: z.int(),
    steps: z.array(Step).describe('The tree, from its root on, each line with its depth.'),
    axis: z
      .object({
        columns: z.int(),
        stretches: z.array(
          z.object({
            kind: z.enum(['linear', 'break']).describe('`break`: time in which nothing happened, cut short.'),
            from: z.int(),
            to: z.int(),
            startAt: time,
            ms: z.number(),
          }),
        ),
      })
      .describe('What the columns of bars stand for.'),
    traces: z.array(z.string()).describe('Ids of the traces it goes through.'),
    missing: z.array(z.string()).describe('What could not be looked at.'),
  })
  .meta({ id: 'Journey' })
export type JourneyView = z.infer<typeof JourneyView>
