import type { PartnerName } from '../system/partners.ts'

/** How far a run is, at one moment. */
export type Progress = {
  elapsedMs: number
  /** What is being done now, e.g. `registering centres`. */
  doing: string
  centers: number
  registered: number
  onboarded: number
  partners: Record<PartnerName, { created: number; calls: number; condition: string }>
}
