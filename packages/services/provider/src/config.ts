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

export type ProviderConfig = {
  readonly mesh: MeshOptions
  readonly health: { host: string; port: number }
  readonly partners: { senninha: PartnerClientOptions; maas: PartnerClientOptions }
}

const Partners = z.object({ SENNINHA_URL: partnerUrl, MAAS_URL: partnerUrl, PARTNER_TIMEOUT_MS: partnerTimeoutMs })

/**
 * `SENNINHA_URL`, `MAAS_URL`, `PARTNER_TIMEOUT_MS` (10 000), and what the mesh and the health endpoints read.
 * @throws Error with every fault
 */
export function providerConfig(env: Env): ProviderConfig {
  return readAll<ProviderConfig>({
    mesh: () => meshOptions(env),
    health: () => healthAddress(env),
    partners() {
      const { SENNINHA_URL, MAAS_URL, PARTNER_TIMEOUT_MS: timeoutMs } = readEnv(Partners, env)
      return {
        senninha: { partner: 'senninha', url: SENNINHA_URL, timeoutMs },
        maas: { partner: 'maas', url: MAAS_URL, timeoutMs },
      }
    },
  })
}
