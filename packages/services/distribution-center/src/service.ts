import { centerOnboarded, centerRegistered, cityRegistered, providerCreated } from '@malha/contracts'
import {
  attemptFailed,
  defineService,
  HEADER,
  on,
  publishFailed,
  untilBack,
  type HandlerContext,
  type ServiceDef,
  type StreamDef,
} from '@malha/mesh'
import { eventTime } from './mesh/event-time.ts'
import type { StatusChange } from './status/apply.ts'
import {
  attemptChange,
  cityChange,
  onboardedChange,
  providerChange,
  refusedChange,
  registeredChange,
  type Occurrence,
} from './status/changes.ts'
import type { ReadModel } from './status/read-model.ts'
import { statusReply } from './status/reply.ts'
import { isComplete } from './status/status.ts'

/**
 * Keeps the status of every centre, says `center.onboarded` when its last partner is done, and answers `center.status`.
 * Every handler may see any event more than once and in any order: see `applyToStatus`.
 */
export function distributionCenter({ statuses, registry }: ReadModel, version = '0.0.0'): ServiceDef {
  const options = { startFrom: 'all', retry: untilBack } as const
  return defineService('distribution-center', {
    version,
    publishes: [centerRegistered, centerOnboarded],
    replies: { status: statusReply(statuses) },
    handlers: {
      registered: on(centerRegistered, options, async (data, ctx) => {
        const change = registeredChange(data, occurrenceOf(centerRegistered.stream, ctx))
        await Promise.all([registry.add(data.centerId), apply(change, ctx)])
      }),
      provider: on(providerCreated, options, async (data, ctx) => {
        await apply(providerChange(data, occurrenceOf(providerCreated.stream, ctx)), ctx)
      }),
      city: on(cityRegistered, options, async (data, ctx) => {
        await apply(cityChange(data, occurrenceOf(cityRegistered.stream, ctx)), ctx)
      }),
      onboarded: on(centerOnboarded, options, async (data, ctx) => {
        await statuses.apply(onboardedChange(data, occurrenceOf(centerOnboarded.stream, ctx)))
      }),
      attempts: on(attemptFailed, options, async (data, ctx) => {
        const change = attemptChange(data, occurrenceOf(attemptFailed.stream, ctx))
        if (change) await statuses.apply(change)
      }),
      refused: on(publishFailed, options, async (data, ctx) => {
        const change = refusedChange(data, occurrenceOf(publishFailed.stream, ctx))
        if (!change) return
        await Promise.all([registry.add(change.centerId), statuses.apply(change)])
      }),
    },
  })

  async function apply(change: StatusChange, ctx: HandlerContext): Promise<void> {
    const status = await statuses.apply(change)
    // Also when the change was known before: the process may have died between the entry and the announcement.
    if (isComplete(status) && !status.onboarded)
      ctx.publish(centerOnboarded, { centerId: status.centerId }, { once: true })
  }
}

function occurrenceOf(stream: StreamDef, ctx: HandlerContext): Occurrence {
  return {
    stream: stream.name,
    epoch: ctx.source.epoch,
    seq: ctx.source.seq,
    at: eventTime(ctx.headers, ctx.source.publishedAt),
    traceparent: ctx.headers[HEADER.traceparent],
  }
}
