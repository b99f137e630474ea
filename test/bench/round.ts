import type { PartRound, Settings } from './protocol.ts'
import type { Figures, Round, Turn } from './scenario.ts'

/** A round as most scenarios have it: every process prepares, in order; all run at once; every one cleans up. `given` they all hear. */
export async function usualRound({ broker, parts, round }: Turn, given?: Settings): Promise<Round> {
  for (const part of parts) await part.prepare(round)
  const serverBefore = await broker.cpuUs()
  const rounds = await Promise.all(parts.map((part) => part.run(round, given)))
  const serverCpuUs = (await broker.cpuUs()) - serverBefore
  for (const part of parts) await part.clean(round)
  return { figures: figuresOf(rounds, serverCpuUs), parts: rounds }
}

/** The usual figures: from the first start to the last end, and the sums of all processes. */
export function figuresOf(parts: readonly PartRound[], serverCpuUs: number): Figures {
  const sum = (of: (part: PartRound) => number): number => parts.reduce((total, part) => total + of(part), 0)
  const messages = sum((part) => part.messages)
  const startedAt = Math.min(...parts.map((part) => part.startedAt))
  const endedAt = Math.max(...parts.map((part) => part.endedAt))
  const latency = parts.findLast((part) => part.latency !== undefined)?.latency
  return {
    rate: messages / ((endedAt - startedAt) / 1000),
    cpuUsPerMessage: sum((part) => part.cpuUs) / messages,
    serverCpuUsPerMessage: serverCpuUs / messages,
    rssMb: sum((part) => part.rssMb),
    allocatedBytesPerMessage: sum((part) => part.allocatedBytes) / messages,
    socketWritesPerMessage: sum((part) => part.socketWrites) / messages,
    ...latency,
    ...Object.assign({}, ...parts.map((part) => part.figures)),
  }
}
