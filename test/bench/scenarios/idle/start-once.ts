import { setTimeout as sleep } from 'node:timers/promises'
import { processRssMb } from '../../process-figures.ts'
import type { Setup } from '../../protocol.ts'
import type { ServerProcess } from '../../server-process.ts'
import type { Variant } from '../../variant.ts'

/** At rest is who has been ready for so long: what the start left behind is collected or given back. */
const SETTLE_MS = 3000

/** A process a round: how long it takes to be ready, and what it holds when it is at rest. Round 0 fills the cache of compiled code. */
export function startOnce(start: (setup: Setup) => Promise<ServerProcess>): (setup: Setup) => Promise<Variant> {
  return (setup) =>
    Promise.resolve({
      async run() {
        await using server = await start(setup)
        await sleep(SETTLE_MS)
        return { messages: 1, figures: { readyMs: server.readyMs, rssMb: await processRssMb(server.pid) } }
      },
      close: () => Promise.resolve(),
    })
}
