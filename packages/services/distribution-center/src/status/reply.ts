import { centerStatus } from '@malha/contracts'
import { reply, replyError, type ReplyDef } from '@malha/mesh'
import type { StatusStore } from './store.ts'
import { viewOf } from './view.ts'

/** Answers other services out of the read model, which is a moment behind the events. */
export function statusReply(statuses: StatusStore): ReplyDef {
  return reply(centerStatus, async ({ centerId }) => {
    const status = await statuses.get(centerId)
    const view = status && viewOf(status)
    if (!view) throw replyError(centerStatus, 'center.unknown', { centerId })
    const { senninha, maas, dmitri } = view.partners
    return {
      centerId,
      status: view.status,
      partners: { senninha: senninha.state, maas: maas.state, dmitri: dmitri.state },
    }
  })
}
