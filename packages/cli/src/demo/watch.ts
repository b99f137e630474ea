import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, type PartnerName, partnerNames, readReceived, setFault } from '../system/partners.ts'
import type { SystemReport } from '../system/report.ts'
import { listCenters } from './center-api.ts'
import type { Progress } from './progress.ts'

/** Follows a run: keeps its figures fresh, and waits for what the script waits for. */
export interface RunWatch extends AsyncDisposable {
  readonly progress: Progress
  /** Resolves once `holds`, looked at each time the figures are read. Rejects when the signal aborts. */
  until(holds: (progress: Progress) => boolean): Promise<void>
  /** Sets a partner's fault, and says of the partner that it is in this condition. */
  setCondition(name: PartnerName, fault: Fault, condition: string): Promise<void>
}

export type WatchOptions = {
  report: SystemReport
  centers: number
  startedAt: number
  signal: AbortSignal
  /** Called each time the figures were read. */
  show: (progress: Progress) => void
}

const READ_EVERY_MS = 200
/** Reading every centre costs the API a read of its store for each: every so many rounds, fewer while nothing else is waited for. */
const CENTERS_EVERY = { early: 15, late: 4 }

/** Begins to read the figures, every fifth of a second. A read that fails is left out: the next one follows. */
export function watchRun(options: WatchOptions): RunWatch {
  const { report, signal, show } = options
  const ended = new AbortController()
  const progress = firstProgress(options)
  const read = async (): Promise<void> => {
    for (let round = 0; !ended.signal.aborted; round++) {
      await refresh(progress, report, round).catch(() => undefined)
      progress.elapsedMs = Date.now() - options.startedAt
      show(progress)
      await sleep(READ_EVERY_MS, undefined, { signal: ended.signal }).catch(() => undefined)
    }
  }
  const reading = read()
  return {
    progress,
    async until(holds) {
      while (!holds(progress)) await sleep(READ_EVERY_MS / 2, undefined, { signal })
    },
    async setCondition(name, fault, condition) {
      await setFault(report.partnerControls[name], fault)
      progress.partners[name].condition = condition
    },
    async [Symbol.asyncDispose]() {
      ended.abort()
      await reading
    },
  }
}

const quiet = { created: 0, calls: 0, condition: 'up' }

function firstProgress({ centers, startedAt }: WatchOptions): Progress {
  const partners = { senninha: { ...quiet }, maas: { ...quiet }, dmitri: { ...quiet } }
  return { elapsedMs: Date.now() - startedAt, doing: 'starting', centers, registered: 0, onboarded: 0, partners }
}

async function refresh(progress: Progress, report: SystemReport, round: number): Promise<void> {
  await Promise.all(
    partnerNames.map(async (name) => {
      const { created, attempts } = await readReceived(report.partnerControls[name])
      Object.assign(progress.partners[name], { created, calls: attempts })
    }),
  )
  if (progress.onboarded >= progress.centers) return
  const onlyOnboarding = partnerNames.every((name) => progress.partners[name].created >= progress.centers)
  if (round % (onlyOnboarding ? CENTERS_EVERY.late : CENTERS_EVERY.early) !== 0) return
  const centers = await listCenters(report.api)
  progress.onboarded = centers.filter((center) => center.status === 'onboarded').length
}
