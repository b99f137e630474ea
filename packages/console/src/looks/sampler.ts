import { setTimeout as sleep } from 'node:timers/promises'
import type { ListedHandler, Operations, StreamView } from '@malha/operations'
import type { InstanceStatus, Logger } from '@malha/mesh'
import { problemOf } from '../http/problem.ts'
import type { IndexReader } from '../live/index-reader.ts'
import { type Said, saidContracts } from './said-contracts.ts'

/** How handlers and streams stood at a moment. */
export type Sample = {
  /** By this machine's clock, unix ms. */
  readonly atMs: number
  readonly handlers: readonly ListedHandler[]
  readonly streams: readonly StreamView[]
  /** Processes that run a handler, or a service that says what it publishes. */
  readonly instances: readonly Pick<InstanceStatus, 'service' | 'id' | 'at' | 'startedAt' | 'published'>[]
  /** What services said of their contracts. */
  readonly said: Said
  /** Open letters by `<service>/<handler>`. */
  readonly open: ReadonlyMap<string, number>
  /** What could not be looked at. */
  readonly missing: readonly string[]
}

/**
 * Looks every two seconds for all who watch, and not at all while nobody does. What it saw in the last minutes is kept, so that rates and
 * charts are differences of what stands there anyway. Reads only.
 */
export interface Sampler extends AsyncDisposable {
  /** Has it look, and tells when there is a new sample, until what it returns is called. */
  watch(onSample: (sample: Sample) => void): () => void
  /** What was seen lately, oldest first, the last of it now: it looks first where nobody watches. */
  samples(): Promise<readonly Sample[]>
  /** The same with a look from now: something was just done. */
  samplesFromNow(): Promise<readonly Sample[]>
}

const EVERY_MS = 2000
/** What charts show. */
const KEPT_MS = 5 * 60_000
/** A sample that is older is not what stands now. */
const FRESH_MS = 1.5 * EVERY_MS

export type SamplerDeps = { operations: Operations; reader: IndexReader; log: Logger }

export function sampler({ operations, reader, log }: SamplerDeps): Sampler {
  const contracts = saidContracts(operations)
  const listeners = new Set<(sample: Sample) => void>()
  const stopping = new AbortController()
  let kept: Sample[] = []
  let taking: Promise<Sample> | undefined
  let looking: Promise<void> | undefined
  const take = (): Promise<Sample> => {
    taking ??= sampleNow({ operations, reader, contracts })
      .then((sample) => {
        kept = [...kept.filter(({ atMs }) => atMs > sample.atMs - KEPT_MS), sample]
        return sample
      })
      .finally(() => (taking = undefined))
    return taking
  }
  const look = async (): Promise<void> => {
    while (listeners.size > 0 && !stopping.signal.aborted) {
      try {
        const sample = await take()
        for (const listener of listeners) listener(sample)
      } catch (err) {
        // NATS is away, which the pages say by themselves; the gap stays in the charts.
        log.debug({ err }, 'handlers could not be looked at')
      }
      await sleep(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
    looking = undefined
  }
  return {
    watch(onSample) {
      listeners.add(onSample)
      looking ??= look()
      return () => void listeners.delete(onSample)
    },
    async samples() {
      const last = kept.at(-1)
      if (!last || Date.now() - last.atMs > FRESH_MS) await take()
      return kept
    },
    async samplesFromNow() {
      await taking?.catch(() => undefined)
      await take()
      return kept
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.all([looking, taking?.catch(() => undefined)])
    },
  }
}

type LookDeps = Omit<SamplerDeps, 'log'> & { contracts: () => Promise<Said> }

async function sampleNow({ operations, reader, contracts }: LookDeps): Promise<Sample> {
  const { handlers, letters } = operations
  const said = await contracts()
  const missing: string[] = []
  const publishers = said.services.filter(({ publishes }) => publishes.length > 0).map(({ service }) => service)
  const unseen = (error: unknown): [] => {
    missing.push(`the streams: ${problemOf(error).detail}`)
    return []
  }
  const [{ handlers: listed, instances }, streams] = await Promise.all([
    handlers.look(publishers),
    operations.streams().catch(unseen),
    reader.read().catch(() => undefined),
  ])
  const open = listed.map(({ service, handler }): [string, number] => [
    `${service}/${handler}`,
    letters.list({ service, handler, state: 'open' }, { limit: 1 }).total,
  ])
  return {
    atMs: Date.now(),
    handlers: listed,
    streams,
    // Kept for minutes: what handlers do is in `handlers`.
    instances: instances.map(({ service, id, at, startedAt, published }) => ({
      service,
      id,
      at,
      startedAt,
      ...(published && { published }),
    })),
    said,
    open: new Map(open),
    missing,
  }
}
