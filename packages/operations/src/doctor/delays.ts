import type { Mesh } from '@malha/mesh'
import type { Facts } from './facts.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, fail } = findingsOf('delays')
const ASK_MS = 5000

/** Whether everything that waits has a durable that brings it when it is due. Needs `$JS.API.STREAM.INFO` of `DELAYS`. */
export async function checkDelays(mesh: Mesh, facts: Facts): Promise<Finding[]> {
  const { names, nats } = mesh
  const stream = facts.streams.find(({ config }) => config.name === names.delays())
  if (stream === undefined || stream.state.messages === 0) return []
  const query = JSON.stringify({ subjects_filter: names.subject('delay.>') })
  const answer = await nats.request(`$JS.API.STREAM.INFO.${names.delays()}`, query, { timeout: ASK_MS })
  const { state } = answer.json<{ state?: { subjects?: Record<string, number> } }>()
  return delayFindings(state?.subjects ?? {}, facts)
}

/** Pure. */
export function delayFindings(subjects: Record<string, number>, { names, durables }: Facts): Finding[] {
  const waiting = new Map<string, number>()
  for (const [subject, count] of Object.entries(subjects)) {
    const type = /^delay\.(?:due\.(.+)|at\.(.+?)\._(?:id|key|name)\..+)$/.exec(names.strip(subject))
    const name = type?.[1] ?? type?.[2]
    if (name !== undefined) waiting.set(name, (waiting.get(name) ?? 0) + count)
  }
  const there = new Set(durables.filter(({ now }) => now.stream_name === names.delays()).map(({ now }) => now.name))
  const found = [...waiting].flatMap(([type, count]) =>
    there.has(names.delayDurable(type))
      ? []
      : [
          fail(
            names.delays(),
            `${count} of ${type} wait, and durable ${names.delayDurable(type)}, which brings them, is not there`,
            `publish one ${type} for later, which makes it again: malha publish ${type} --in 1s --data …`,
          ),
        ],
  )
  const total = [...waiting.values()].reduce((sum, count) => sum + count, 0)
  return found.length > 0 ? found : [ok(names.delays(), `${total} wait; all are brought when they are due`)]
}
