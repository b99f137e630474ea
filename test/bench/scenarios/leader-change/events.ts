import type { NatsNode } from '@malha/stack'
import { monotonicUs } from '../../measure.ts'
import type { Figures, Round, Turn } from '../../scenario.ts'
import type { VariantProcess } from '../../variant-process.ts'
import { connectPlain, ORDERS_STREAM } from '../../twins/connect.ts'
import { type Led, type Observer, observe } from '../../twins/leaders.ts'
import { durableOf } from './durable.ts'
import type { Given } from './watch.ts'

const BOUND_MS = 30_000
const STREAM: Led = { stream: ORDERS_STREAM }

/** Leaders step down one after the other, then the server that leads both is killed; the client is at another one. */
export async function stepDownsAndKill(turn: Turn): Promise<Round> {
  return await underWay(turn, async (stage) => {
    const { observer, own, others, consumer } = stage
    const next = others[0]!
    const streamStepDownMs = await gapBehind(stage, () => observer.move(STREAM, next.name))
    const consumerStepDownMs = await gapBehind(stage, () => observer.move(consumer, next.name))
    return { streamStepDownMs, consumerStepDownMs, ...(await kill(stage, next, [own, ...others.slice(1)])) }
  })
}

/** The server that leads both is killed, and it is the one the client is at. */
export async function killOfOwnServer(turn: Turn): Promise<Round> {
  return await underWay(turn, (stage) => kill(stage, stage.own, stage.others))
}

type Stage = {
  observer: Observer
  part: VariantProcess
  round: number
  consumer: Led
  /** The server the client is at; it leads the stream and the durable. */
  own: NatsNode
  others: readonly NatsNode[]
}

/** Has orders published and handled while something happens. The first round only makes what the others find. */
async function underWay(turn: Turn, happen: (stage: Stage) => Promise<Figures>): Promise<Round> {
  const { broker, parts, round, variant } = turn
  const nodes = broker.cluster!.nodes
  const part = parts[0]!
  const consumer: Led = { stream: ORDERS_STREAM, durable: durableOf(variant) }
  await using nc = await connectTo(nodes)
  const observer = observe(nc)
  const port = (await tell(part, round, { ask: 'server' }))['port']
  const own = nodes.find((node) => node.port === port)!
  if (round > 0) for (const led of [STREAM, consumer]) await observer.move(led, own.name)
  await part.prepare(round)
  const others = nodes.filter((node) => node !== own)
  const figures = round > 0 ? await happen({ observer, part, round, consumer, own, others }) : {}
  await part.clean(round)
  return { figures, parts: [] }
}

const connectTo = (nodes: readonly NatsNode[]): ReturnType<typeof connectPlain> =>
  connectPlain(nodes.map(({ url }) => url).join(','))

/** How long nothing is delivered when that happens. */
async function gapBehind({ part, round }: Stage, happen: () => Promise<void>): Promise<number> {
  const sinceUs = monotonicUs()
  const happened = happen()
  const [figures] = await Promise.all([tell(part, round, { ask: 'gap', sinceUs, boundMs: BOUND_MS }), happened])
  return figures['gapMs']!
}

/** Kills a server and starts it again. */
async function kill(stage: Stage, node: NatsNode, left: readonly NatsNode[]): Promise<Figures> {
  const { observer, consumer } = stage
  await using nc = await connectTo(left)
  const survivor = observe(nc)
  let electionMs = 0
  const killMs = await gapBehind(stage, async () => {
    const killedAt = monotonicUs()
    await node.kill()
    const elected = await Promise.all([STREAM, consumer].map((led) => survivor.anotherThan(led, node.name)))
    electionMs = (Math.max(...elected) - killedAt) / 1000
  })
  await node.start()
  for (const led of [STREAM, consumer]) await observer.untilCurrent(led)
  return { killMs, electionMs, killBeyondElectionMs: Math.max(0, killMs - electionMs) }
}

async function tell(part: VariantProcess, round: number, given: Given): Promise<Figures> {
  return (await part.run(round, given)).figures
}
