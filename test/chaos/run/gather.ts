import { partnerNames } from '../../reference/processes.ts'
import { gatherArchive } from '../history/gather-archive.ts'
import { gatherPartner } from '../history/gather-partner.ts'
import { gatherStreams } from '../history/gather-streams.ts'
import { saveAbout } from '../history/saved-run.ts'
import { processOfPartner } from '../system/reference-processes.ts'
import type { RunningSystem } from '../system/start-system.ts'
import { handlerFacts } from '../workload/handler-facts.ts'

const HANDLERS = {
  senninha: 'provider.senninha',
  maas: 'provider.maas',
  dmitri: 'city-registration.dmitri',
} as const

/** Writes down what is there in the end, beside the operations of the run. */
export async function gather(
  system: RunningSystem,
  { folder, beganAt, atMs }: { folder: string; beganAt: number; atMs: number },
): Promise<void> {
  saveAbout(folder, { beganAt, handlers: handlerFacts })
  for (const partner of partnerNames) {
    const ledger = system.partnerLedger(partner)
    await gatherPartner({ process: processOfPartner(partner), ledger, handler: HANDLERS[partner], at: atMs }, folder)
  }
  await gatherStreams(system.operator, folder)
  await gatherArchive(system.clickhouseUrl, folder)
}
