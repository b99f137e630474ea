import { startAgain } from '../system/start-again.ts'
import type { ChaosSystem } from '../system.ts'

/** Nothing is wrong any more, whatever was: every process runs and is ready, every connection is open. */
export async function heal(system: ChaosSystem): Promise<void> {
  const { processes, links } = system
  for (const { proxy } of links) {
    await proxy.accept()
    proxy.resume()
    proxy.delay(0)
  }
  for (const process of processes) process.resume()
  for (const broker of processes.filter(({ kind }) => kind === 'broker')) await startAgain(broker)
  for (const { name, kind } of processes)
    if (kind === 'partner') await system.setPartnerFault(name.replace('partner-', ''), { mode: 'up' })
  await Promise.all(
    processes.map(async (process) => {
      await process.start()
      await process.shiftClock?.(0)
    }),
  )
}
