import { startAgain } from '../system/start-again.ts'
import type { ChaosSystem } from '../system.ts'

/**
 * Nothing is wrong any more, whatever was: every process runs and is ready, every connection is open. Returns what could not
 * be mended, a sentence each: what came of a run is judged in any case.
 */
export async function heal(system: ChaosSystem): Promise<string[]> {
  const { processes, links } = system
  const troubles: string[] = []
  const mend = async (what: string, work: () => void | Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      troubles.push(`${what} could not be healed: ${String(error)}`)
    }
  }
  for (const { proxy, from, to } of links)
    await mend(`the link from ${from} to ${to}`, async () => {
      await proxy.accept()
      proxy.resume()
      proxy.delay(0)
    })
  for (const process of processes) await mend(process.name, () => process.resume())
  for (const broker of processes.filter(({ kind }) => kind === 'broker'))
    await mend(broker.name, () => startAgain(broker))
  for (const { name, kind } of processes)
    if (kind === 'partner') await mend(name, () => system.setPartnerFault(name.replace('partner-', ''), { mode: 'up' }))
  const others = processes.filter(({ kind }) => kind !== 'broker')
  await Promise.all(
    others.map((process) =>
      mend(process.name, async () => {
        await process.start()
        await process.shiftClock?.(0)
      }),
    ),
  )
  return troubles
}
