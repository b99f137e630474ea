/**
 * Publishes the load at a steady rate (`RATE`), a share of each kind (`KIND=plain`), or what waits in a spool while the
 * broker is away (`KIND=spool`). To be killed, stopped and cut off. SIGUSR1 ends the load and leaves the process running.
 */
import { type Contract, connectMesh, defineService, meshOptions } from '@malha/mesh'
import { runMain } from '@malha/partner-client'
import { healthAddress, serveHealth, startTelemetry } from '@malha/telemetry'
import { recorderOf } from '../history/recorder.ts'
import { billed, charged, doubted, failed, filed, type Load, noted, ordered, reminded, taken } from './contracts.ts'
import { paced } from './paced.ts'
import { type Publishing, publishing } from './publishing.ts'

type Kind = { contract: Contract<Load>; share: number; delayMs?: () => number; isKeyed?: true }

/** Shares add up to 100. */
const KINDS: Record<string, readonly Kind[]> = {
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
const KEYS = 500
/** Under way at once. Fewer than the library's window, so that a broker that is away is felt here. */
const MOST_OPEN = 1000
const TEXT = 'x'.repeat(80)

const recorder = recorderOf(process.env)
const kinds = KINDS[process.env['KIND'] ?? 'plain']!
const incarnation = `${process.env['CHAOS_PROCESS']}-${Math.floor(recorder.now()).toString(36)}`
const ended = new AbortController()
process.once('SIGUSR1', () => ended.abort())

await runMain('load-publisher', async (stopping) => {
  await using telemetry = startTelemetry({ service: 'load-publisher', version: '0.0.0', env: process.env })
  await using mesh = await connectMesh({ ...meshOptions(process.env), logger: telemetry.log })
  await using _health = await serveHealth({ ...healthAddress(process.env), mesh })
  const publishes = [noted, ordered, billed, charged, doubted, failed, reminded, filed, taken]
  const running = mesh.run(defineService('load-publisher', { handlers: {}, publishes }), { signal: stopping })
  const publish = publishing(mesh, recorder, incarnation)
  const rate = Number(process.env['RATE'])
  await paced(() => begin(publish), {
    rate,
    mayBegin: () => publish.open < MOST_OPEN,
    signal: AbortSignal.any([stopping, ended.signal]),
  })
  await running
})

function begin(publish: Publishing): void {
  const kind = drawn()
  if (kind.isKeyed) void publishKeyed(kind, publish)
  else void publish.publish(kind.contract, { n: numberOf(kind), text: TEXT }, kind.delayMs?.())
}

function drawn(): Kind {
  let left = Math.random() * 100
  for (const kind of kinds) if ((left -= kind.share) < 0) return kind
  return kinds[0]!
}

const numbers = new Map<Kind, number>()
function numberOf(kind: Kind): number {
  const n = numbers.get(kind) ?? 0
  numbers.set(kind, n + 1)
  return n
}

type Key = { name: string; n: number }
const idle: Key[] = Array.from({ length: KEYS }, (_, index) => ({ name: `${incarnation}-k${index}`, n: 0 }))
let replaced = 0

/** One at a time of each key: its order in the stream is that of its numbers. */
async function publishKeyed({ contract }: Kind, publish: Publishing): Promise<void> {
  const [key] = idle.splice(Math.floor(Math.random() * idle.length), 1)
  if (!key) return
  const isStored = await publish.publish(contract, { n: key.n, key: key.name, text: TEXT })
  // What timed out may still come to be stored, behind what is published next: that key is done with.
  idle.push(isStored ? { ...key, n: key.n + 1 } : { name: `${incarnation}-r${replaced++}`, n: 0 })
}
