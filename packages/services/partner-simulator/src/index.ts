export { type Fault, type FaultMode, faultModes, up } from './fault.ts'
export type { Received, ReceivedCenter } from './ledger.ts'
export { type PartnerName, partnerNames } from './partners.ts'
export { type Partner, type PartnerOptions, startPartner } from './start-partner.ts'
