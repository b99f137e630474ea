import { partnerClient } from '@malha/partner-client'
import { z } from 'zod'
import type { Entry } from './ledger.ts'

const Answer = z.object({ entry: z.int() })

/** The effect ledger, called as any partner is. */
export interface LedgerClient extends AsyncDisposable {
  write(entry: Entry, call: { idempotencyKey: string; signal: AbortSignal }): Promise<void>
}

export function ledgerClient(url: string): LedgerClient {
  const client = partnerClient({ partner: 'ledger', url, connections: 64, timeoutMs: 5000 })
  return {
    write: async (entry, call) => void (await client.post({ path: '/entries', body: entry, answer: Answer, ...call })),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}
