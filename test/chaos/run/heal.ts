import type { ChaosSystem } from '../system.ts'

/** Nothing is wrong any more, whatever was: every process runs and is ready, every connection is open. */
export async function heal({ processes, links, setPartnerFault }: ChaosSystem): Promise<void> {
  for (const { proxy } of links) {
    await proxy.accept()
    proxy.resume()
    proxy.delay(0)
  }
  for (const process of processes) process.resume()
  for (const broker of processes.filter(({ kind }) => kind === 'broker')) await broker.start()
  for (const { name, kind } of processes)
    if (kind === 'partner') await setPartnerFault(name.replace('partner-', ''), { mode: 'up' })
  await Promise.all(
    processes.map(async (process) => {
      await process.start()
      await process.shiftClock?.(0)
    }),
  )
}
