import type { NatsConnection } from '@nats-io/transport-node'
import type { HandlerFacts } from './final-state.ts'
import { gatherArchive } from './gather-archive.ts'
import { gatherPartner, type PartnerEffects } from './gather-partner.ts'
import { gatherStreams } from './gather-streams.ts'
import { saveAbout } from './saved-run.ts'

export type GatherOptions = {
  /** The folder of the run, into whose `operations` its processes wrote. */
  run: string
  /** When the run began, Unix ms. */
  beganAt: number
  handlers: readonly HandlerFacts[]
  isMended: boolean
  nats: NatsConnection
  clickhouseUrl: string
  partners: readonly PartnerEffects[]
}

/** Adds to the history of a run all that is there now that everything has come to rest, so that it can be checked. */
export async function gather({ run, nats, clickhouseUrl, partners, ...about }: GatherOptions): Promise<void> {
  saveAbout(run, about)
  for (const partner of partners) await gatherPartner(partner, run)
  await gatherStreams(nats, run)
  await gatherArchive(clickhouseUrl, run)
}
