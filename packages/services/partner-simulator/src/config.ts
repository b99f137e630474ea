import { z } from 'zod'
import { type Fault, readFaultText } from './fault.ts'
import { faultsOf, type PartnerName, partnerNames } from './partners.ts'

export type SimulatorConfig = {
  partner: PartnerName
  host: string
  port: number
  controlPort: number
  dataDir?: string
  latencyMs?: number
  fault?: Fault
  logLevel: string
}

const port = z.coerce.number('takes a port, 0 to 65535').int().min(0).max(65_535)

const Env = z.object({
  PARTNER: z.enum(partnerNames),
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: port.default(0),
  CONTROL_PORT: port.default(0),
  DATA_DIR: z.string().optional(),
  LATENCY_MS: z.coerce.number('takes milliseconds').int().min(0).max(600_000).optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  FAULT: z.string().transform(toFault).optional(),
})

/**
 * Reads the environment; an empty variable counts as unset.
 * @throws Error with every fault, one line each
 */
export function simulatorConfig(env: NodeJS.ProcessEnv): SimulatorConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const read = Env.safeParse(set)
  if (!read.success) throw new Error(`the environment is not usable:\n  - ${faultsOf(read.error).join('\n  - ')}`)
  const { PARTNER, HTTP_HOST, HTTP_PORT, CONTROL_PORT, DATA_DIR, LATENCY_MS, FAULT, LOG_LEVEL } = read.data
  return {
    partner: PARTNER,
    host: HTTP_HOST,
    port: HTTP_PORT,
    controlPort: CONTROL_PORT,
    logLevel: LOG_LEVEL,
    ...(DATA_DIR === undefined ? {} : { dataDir: DATA_DIR }),
    ...(LATENCY_MS === undefined ? {} : { latencyMs: LATENCY_MS }),
    ...(FAULT === undefined ? {} : { fault: FAULT }),
  }
}

function toFault(text: string, ctx: z.RefinementCtx): Fault {
  const read = readFaultText(text)
  if ('fault' in read) return read.fault
  for (const message of read.faults) ctx.addIssue({ code: 'custom', message })
  return z.NEVER
}
