import type { ChaosLink, ChaosProcess, ChaosSystem, ProcessKind } from '../system.ts'

export function processesOf(system: ChaosSystem, ...kinds: readonly ProcessKind[]): ChaosProcess[] {
  return system.processes.filter(({ kind }) => kinds.includes(kind))
}

/** @throws Error when the run has none of that name */
export function processNamed(system: ChaosSystem, name: string): ChaosProcess {
  const found = system.processes.find((process) => process.name === name)
  if (!found) throw new Error(`there is no process ${name} in this run`)
  return found
}

/** All that two processes say to each other. Two brokers dial each other, so there are two links between them. */
export type Between = { readonly ends: readonly [string, string]; readonly links: readonly ChaosLink[] }

export function pairs(system: ChaosSystem): Between[] {
  const found = new Map<string, Between>()
  for (const link of system.links) {
    const ends = [link.from, link.to].toSorted() as [string, string]
    const before = found.get(ends.join(' '))?.links ?? []
    found.set(ends.join(' '), { ends, links: [...before, link] })
  }
  return [...found.values()]
}

export function linksBetween(system: ChaosSystem, a: string, b: string): readonly ChaosLink[] {
  return system.links.filter(({ from, to }) => (from === a && to === b) || (from === b && to === a))
}

/** Both ways. @returns how to undo it */
export async function cut(links: readonly ChaosLink[]): Promise<() => Promise<void>> {
  await Promise.all(links.map(({ proxy }) => proxy.refuse()))
  return async () => void (await Promise.all(links.map(({ proxy }) => proxy.accept())))
}

/** Silences what one of them says to the other; the other is heard still. @returns how to undo it */
export function silence(links: readonly ChaosLink[], speaker: string): () => Promise<void> {
  const ways = links.map(({ from, proxy }) => ({ proxy, way: from === speaker ? 'toServer' : 'toClient' }) as const)
  for (const { proxy, way } of ways) proxy.stall(way)
  return () => {
    for (const { proxy, way } of ways) proxy.resume(way)
    return Promise.resolve()
  }
}
