import { meshOptions, type MeshOptions } from '@malha/mesh'
import {
  type Env,
  type PartnerClientOptions,
  partnerTimeoutMs,
  partnerUrl,
  readAll,
  readEnv,
} from '@malha/partner-client'
import { healthAddress } from '@malha/telemetry'
import { z } from 'zod'

export type CityRegistrationConfig = {
  readonly mesh: MeshOptions
  readonly health: { host: string; port: number }
  readonly dmitri: PartnerClientOptions
}

const Dmitri = z.object({ DMITRI_URL: partnerUrl, PARTNER_TIMEOUT_MS: partnerTimeoutMs })

/**
 * `DMITRI_URL`, `PARTNER_TIMEOUT_MS` (10 000), and what the mesh and the health endpoints read.
 * @throws Error with every fault
 */
export function cityRegistrationConfig(env: Env): CityRegistrationConfig {
  return readAll<CityRegistrationConfig>({
    mesh: () => meshOptions(env),
    health: () => healthAddress(env),
    dmitri() {
      const { DMITRI_URL, PARTNER_TIMEOUT_MS: timeoutMs } = readEnv(Dmitri, env)
      return { partner: 'dmitri', url: DMITRI_URL, timeoutMs }
    },
  })
}
