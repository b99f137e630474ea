import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { freePorts } from '@malha/stack'
import { processOfPartner } from '../chaos/system/reference-processes.ts'
import { at } from '../chaos/system/site.ts'
import {
  inheritedEnv,
  mainOf,
  partnerEnv,
  type PartnerName,
  partnerNames,
  partnerUrls,
} from '../reference/processes.ts'
import { type Pod, startPod } from './pod.ts'

/** The partners and the ledger of effects: the world outside, which nobody rolls. */
export interface Outside extends AsyncDisposable {
  readonly ledgerUrl: string
  /** The variables by which services find the partners. */
  readonly partnerUrls: Readonly<Record<string, string>>
  /** The file in which a partner keeps what it did. */
  readonly partnerLedger: (partner: PartnerName) => string
  /** How often partners were called beyond once a centre: what they know under its key they do not do again. */
  readonly repeatedCalls: () => number
}

export type OutsideOptions = {
  folder: string
  /** How long a partner takes to answer, ms. @default as it is shipped */
  partnerLatencyMs?: number | undefined
  /** By which the ledger writes down its operations. */
  recording: Readonly<Record<string, string>>
  onLine: (name: string) => (line: string) => void
}

export async function startOutside(options: OutsideOptions): Promise<Outside> {
  const { folder, partnerLatencyMs, recording, onLine } = options
  const dataDir = join(folder, 'partners')
  const partnerLedger = (partner: PartnerName): string => join(dataDir, `${partner}.sqlite`)
  const [ledgerPort, ...free] = (await freePorts(1 + 2 * partnerNames.length)) as [number, ...number[]]
  const urls = new Map<PartnerName, string>()
  const pods: Pod[] = partnerNames.map((partner, index) => {
    const [port, controlPort] = free.slice(2 * index) as [number, number]
    urls.set(partner, at(port))
    return startPod({
      name: processOfPartner(partner),
      main: mainOf('partner-simulator'),
      env: {
        ...inheritedEnv(),
        ...partnerEnv(partner, { port, controlPort, dataDir }),
        ...(partnerLatencyMs !== undefined && { LATENCY_MS: String(partnerLatencyMs) }),
      },
      readyUrl: `${at(controlPort)}/_fault`,
      onLine: onLine(processOfPartner(partner)),
    })
  })
  pods.push(
    startPod({
      name: 'ledger',
      main: fileURLToPath(new URL('../chaos/workload/ledger.ts', import.meta.url)),
      env: { ...inheritedEnv(), ...recording, HTTP_PORT: String(ledgerPort) },
      readyUrl: at(ledgerPort),
      onLine: onLine('ledger'),
    }),
  )
  const stop = async (): Promise<void> => void (await Promise.all(pods.map((pod) => pod.stop())))
  try {
    await Promise.all(pods.map((pod) => pod.ready()))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ledgerUrl: at(ledgerPort),
    partnerUrls: partnerUrls((name) => urls.get(name)!),
    partnerLedger,
    repeatedCalls: () => partnerNames.reduce((sum, partner) => sum + repeatedCallsIn(partnerLedger(partner)), 0),
    [Symbol.asyncDispose]: stop,
  }
}

function repeatedCallsIn(ledger: string): number {
  using database = new DatabaseSync(ledger, { readOnly: true, timeout: 5000 })
  const row = database.prepare('SELECT coalesce(sum(count - 1), 0) AS repeated FROM attempts').get()
  return Number(row?.['repeated'])
}
