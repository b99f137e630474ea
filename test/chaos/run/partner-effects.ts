import { type PartnerName, partnerNames } from '../../reference/processes.ts'
import type { PartnerEffects } from '../history/gather-partner.ts'
import { processOfPartner } from '../system/reference-processes.ts'

const HANDLERS: Record<PartnerName, string> = {
  senninha: 'provider.senninha',
  maas: 'provider.maas',
  dmitri: 'city-registration.dmitri',
}

/** Where the partners' effects are found. @param at ms since the run began */
export function partnerEffects(ledgerOf: (partner: PartnerName) => string, at: number): PartnerEffects[] {
  return partnerNames.map((partner) => ({
    process: processOfPartner(partner),
    ledger: ledgerOf(partner),
    handler: HANDLERS[partner],
    at,
  }))
}
