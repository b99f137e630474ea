import { jetstreamManager } from '@nats-io/jetstream'
import { type Broker, startBroker } from './broker.ts'
import type { Settings } from './protocol.ts'
import type { Rounds } from './ratio.ts'
import { usualRound } from './round.ts'
import type { Case, Figures, Scenario } from './scenario.ts'
import { connectPlain } from './twins/connect.ts'
import { leadHere } from './twins/leaders.ts'
import { startVariantProcess, type VariantProcess } from './variant-process.ts'

/** A scenario that was found in its folder. */
export type Found = { readonly name: string; readonly folder: URL; readonly scenario: Scenario }

export type CaseOptions = Found & {
  readonly of: Case
  readonly messages: number
  readonly rounds: number
  readonly signal: AbortSignal
  readonly say: (what: string) => void
}

/** Runs the variants of a case round by round, one at a time, each on a fresh broker's streams of its own. */
export async function runCase(options: CaseOptions): Promise<Rounds> {
  const { scenario, of, rounds, messages, say } = options
  await using opened = new AsyncDisposableStack()
  const broker = opened.use(await startBroker(of.replicas))
  say('prepares')
  const prepared = await scenario.prepare?.({ broker, case: of, messages, opened })
  const servers = scenario.servers === 'all' ? broker.url : await leaderOfAll(broker)
  const settings: Settings = { ...of.settings, ...prepared }
  const names = Object.keys(scenario.variants)
  const processes = new Map<string, VariantProcess[]>()
  for (const variant of names) {
    const started: VariantProcess[] = []
    processes.set(variant, started)
    for (const part of scenario.variants[variant]!.keys())
      started.push(opened.use(await startPart(options, { servers, settings, variant, part })))
  }
  const measured: Record<string, Figures[]> = Object.fromEntries(names.map((variant) => [variant, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const variant of rotated(names, round)) {
      options.signal.throwIfAborted()
      say(round === 0 ? `${variant} warms up` : `${variant}, round ${round} of ${rounds}`)
      const turn = { broker, case: of, variant, messages, parts: processes.get(variant)!, round, settings }
      const { figures, parts } = await (scenario.round ?? usualRound)(turn)
      if (round > 0) measured[variant]!.push({ ...figures, ...scenario.figures?.(parts) })
    }
    if (round > 0) derive(scenario, measured)
  }
  return measured
}

function derive(scenario: Scenario, measured: Record<string, Figures[]>): void {
  if (scenario.derive === undefined) return
  const last = Object.fromEntries(Object.entries(measured).map(([variant, rounds]) => [variant, rounds.at(-1)!]))
  measured['mesh']!.push({ ...measured['mesh']!.pop(), ...scenario.derive(last) })
}

type Part = { servers: string; settings: Settings; variant: string; part: number }

function startPart(options: CaseOptions, { servers, settings, variant, part }: Part): Promise<VariantProcess> {
  const { folder, scenario, of, messages, signal } = options
  const { payloadBytes, replicas } = of
  return startVariantProcess({
    file: new URL(scenario.variants[variant]![part]!, folder),
    setup: { servers, variant, part, payloadBytes, replicas, messages, settings },
    signal,
  })
}

/** On a cluster one server is made the leader of all streams there are; its address. */
async function leaderOfAll({ url, cluster }: Broker): Promise<string> {
  if (cluster === undefined) return url
  const first = cluster.nodes[0]!.url
  await using nc = await connectPlain(first)
  for await (const stream of (await jetstreamManager(nc)).streams.names()) await leadHere(nc, { stream })
  return first
}

/** Who begins has the machine as others left it: each does in turn. */
const rotated = <T>(list: readonly T[], by: number): T[] => list.map((_, index) => list[(index + by) % list.length]!)
