export { PartnerError, type PartnerErrorCode } from './errors.ts'
export { type PartnerCall, type PartnerClient, partnerClient, type PartnerClientOptions } from './partner-client.ts'
export { runMain } from './run-main.ts'
export { type Env, partnerTimeoutMs, partnerUrl, readAll, readEnv } from './settings.ts'
