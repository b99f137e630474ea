import type { Mesh } from '@malha/mesh'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn, fail } = findingsOf('clock')
const READINGS = 3
const ASK_MS = 5000
const WORTH_SAYING_MS = 2000
const HARMFUL_MS = 60_000

/** This machine's clock beside that of the server that leads a stream. Needs `$JS.API.STREAM.INFO.<stream>`. */
export async function checkClock({ nats }: Mesh, stream: string | undefined): Promise<Finding[]> {
  if (stream === undefined) return []
  let best = { apartMs: 0, errorMs: Infinity }
  for (let count = 0; count < READINGS; count += 1) {
    const sentAt = Date.now()
    const { ts } = (await nats.request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: ASK_MS })).json<{
      ts?: string
    }>()
    const errorMs = (Date.now() - sentAt) / 2
    const apartMs = sentAt + errorMs - Date.parse(ts ?? '')
    if (Number.isFinite(apartMs) && errorMs < best.errorMs) best = { apartMs, errorMs }
  }
  return best.errorMs === Infinity ? [] : [clockFinding(best)]
}

/** Pure. `apartMs`: by how much this clock is ahead. */
export function clockFinding({ apartMs, errorMs }: { apartMs: number; errorMs: number }): Finding {
  const beyondMs = Math.max(0, Math.abs(apartMs) - errorMs)
  const said = `its clock is ${Math.round(Math.abs(apartMs))} ms ${apartMs < 0 ? 'behind' : 'ahead of'} the server’s (±${Math.ceil(errorMs)} ms)`
  const fix = 'let NTP set both clocks; the mesh goes by the server’s, logs and traces go by each machine’s own'
  if (beyondMs >= HARMFUL_MS) return fail('this machine', said, fix)
  return beyondMs >= WORTH_SAYING_MS ? warn('this machine', said, fix) : ok('this machine', said)
}
