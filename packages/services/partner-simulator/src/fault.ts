import { z } from 'zod'
import { faultsOf } from './partners.ts'

/**
 * How a partner misbehaves:
 * `down` refuses connections, `slow` answers late, `error` answers 500, `flaky` answers 503 now and then, `lost-reply` does
 * the work and cuts the connection, `forgetful` does the work again for a key it has seen.
 */
export const faultModes = ['up', 'down', 'slow', 'error', 'flaky', 'lost-reply', 'forgetful'] as const
export type FaultMode = (typeof faultModes)[number]

const FaultBody = z.strictObject({
  mode: z.enum(faultModes),
  /** Share of the requests that are hit, 0 to 1. */
  rate: z.number().min(0).max(1).optional(),
  /** Sent as `Retry-After` with each 500 and 503, seconds. */
  retryAfterS: z.int().min(0).max(86_400).optional(),
  /** How late a `slow` partner answers, ms. */
  latencyMs: z.int().min(0).max(600_000).optional(),
})

/** A fault with its defaults filled in. */
export type Fault = {
  readonly mode: FaultMode
  /** Of no effect with `up` and `down`. @default 0.5 for `flaky`, else 1 */
  readonly rate: number
  readonly retryAfterS?: number
  /** Of no effect but with `slow`. @default 5000 */
  readonly latencyMs: number
}

export const up: Fault = fault({ mode: 'up' })

/** A fault from what someone sent, or everything that is wrong with it. */
export function readFault(body: unknown): { fault: Fault } | { faults: string[] } {
  const read = FaultBody.safeParse(body)
  return read.success ? { fault: fault(read.data) } : { faults: faultsOf(read.error) }
}

/** A fault from a variable: a mode (`down`), or the JSON that `PUT /_fault` takes. */
export function readFaultText(text: string): { fault: Fault } | { faults: string[] } {
  if (!text.trimStart().startsWith('{')) return readFault({ mode: text.trim() })
  try {
    return readFault(JSON.parse(text))
  } catch {
    return { faults: ['it is neither a mode nor JSON'] }
  }
}

function fault({ mode, rate, retryAfterS, latencyMs }: z.output<typeof FaultBody>): Fault {
  return {
    mode,
    rate: rate ?? (mode === 'flaky' ? 0.5 : 1),
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
    latencyMs: latencyMs ?? 5000,
  }
}
