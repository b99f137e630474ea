import type { Contract } from '@malha/mesh'
import { charged, doubted, failed, filed, type Load, noted, ordered, reminded, taken } from './contracts.ts'
import type { Publishing } from './publishing.ts'

type Kind = { contract: Contract<Load>; share: number; delayMs?: () => number; isKeyed?: true }

/** What a publisher publishes. */
export type KindName = 'plain' | 'spool'

/** Shares add up to 100. */
const KINDS: Record<KindName, readonly Kind[]> = {
  plain: [
    { contract: noted, share: 48 },
    { contract: taken, share: 25, isKeyed: true },
    { contract: ordered, share: 12 },
    { contract: charged, share: 5 },
    { contract: doubted, share: 3 },
    { contract: failed, share: 2 },
    { contract: reminded, share: 5, delayMs: () => 500 + Math.floor(Math.random() * 15_000) },
  ],
  spool: [{ contract: filed, share: 100 }],
}
export const contractsOf = (name: KindName): Contract<Load>[] => KINDS[name].map(({ contract }) => contract)

/** Few enough that a key has several events under way when one of them has to wait. */
const KEYS = 60

/**
 * Begins to publish one event after the other, a share of each kind.
 * @param incarnation Tells the keys of this process from those of one of the same name that was killed before.
 */
export function publishesOf(name: KindName, publish: Publishing, incarnation: string): () => void {
  const kinds = KINDS[name]
  const numbers = new Map<Kind, number>()
  const keyed = keyedPublishes(publish, incarnation)
  return () => {
    const kind = drawn(kinds)
    if (kind.isKeyed) return keyed(kind.contract)
    const n = numbers.get(kind) ?? 0
    numbers.set(kind, n + 1)
    void publish.publish(kind.contract, { n }, kind.delayMs?.())
  }
}

function drawn(kinds: readonly Kind[]): Kind {
  let left = Math.random() * 100
  for (const kind of kinds) if ((left -= kind.share) < 0) return kind
  return kinds[0]!
}

/** One at a time of each key: its order in the stream is that of its numbers. */
function keyedPublishes(publish: Publishing, incarnation: string): (contract: Contract<Load>) => void {
  const idle = Array.from({ length: KEYS }, (_, index) => ({ name: `${incarnation}-k${index}`, n: 0 }))
  let replaced = 0
  const next = async (contract: Contract<Load>): Promise<void> => {
    const [key] = idle.splice(Math.floor(Math.random() * idle.length), 1)
    if (!key) return
    const isStored = await publish.publish(contract, { n: key.n, key: key.name })
    // What timed out may still come to be stored, behind what is published next: that key is done with.
    idle.push(isStored ? { ...key, n: key.n + 1 } : { name: `${incarnation}-r${replaced++}`, n: 0 })
  }
  return (contract) => void next(contract)
}
