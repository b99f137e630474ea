import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkSaved, type Verdict } from '../chaos/checker/check-saved.ts'
import { gather } from '../chaos/history/gather.ts'
import { operationsFolder } from '../chaos/history/saved-run.ts'
import { openTally } from '../chaos/history/tally.ts'
import { partnerEffects } from '../chaos/run/partner-effects.ts'
import { type Rest, untilQuiet } from '../chaos/run/quiet.ts'
import { handlerFacts } from '../chaos/workload/handler-facts.ts'
import { type BrokerEnd, type BrokerRolled, rollBroker } from './brokers.ts'
import { type Evidence, readDurables, readStages, readStored } from './evidence.ts'
import type { EndSignal, Ended } from './pod.ts'
import { type Breach, breachesOf, type EndToEnd, endToEnd } from './rules.ts'
import { type RollingMesh, type StartOptions, startRollingMesh } from './start.ts'
import { quantile, type HandlerWaits, waitsOf } from './waits.ts'

export type RollOptions = StartOptions & {
  /** How pods are asked to end. @default 'SIGTERM' */
  signal?: EndSignal
  /** How brokers end. @default 'lame-duck' */
  brokerEnd?: BrokerEnd
  /** How many of the three brokers are rolled. @default 3 */
  brokers?: number
  /**
   * `one-by-one`: a workload after the other; `together`: as when all manifests are applied at once.
   * @default 'one-by-one'
   */
  workloads?: 'one-by-one' | 'together'
  /** Names of workloads, in this order. @default all */
  only?: readonly string[]
  /** Load before the first and after the last, ms. @default 2000 */
  calmMs?: number
  say?: (line: string) => void
}

/** What came of a roll. */
export type RollResult = {
  from: string
  to: string
  loadMs: number
  centers: number
  events: number
  answers: { count: number; failures: number; queued: number; p99Ms: number; maxMs: number }
  endToEnd: EndToEnd
  waits: HandlerWaits[]
  pods: Ended[]
  brokers: BrokerRolled[]
  rest: Rest
  verdict: Verdict
  breaches: Breach[]
  /** Calls of partners beyond the first of each centre. */
  repeatedCalls: number
}

/** Rolls a mesh under load from one release to another, waits until all is done, and judges what came of it. */
export async function roll(options: RollOptions): Promise<RollResult> {
  const { folder, releases, say = () => undefined } = options
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  say(`starting a mesh of ${releases.old.name}`)
  await using mesh = await startRollingMesh(options)
  const began = performance.now()
  const { pods, brokers } = await rollAll(mesh, options, say)
  await mesh.endLoad()
  const loadMs = Math.round(performance.now() - began)
  const tally = openTally(operationsFolder(folder), handlerFacts)
  const rest = await untilQuiet({
    nats: mesh.nats,
    clickhouseUrl: mesh.clickhouseUrl,
    tally,
    publishers: ['load-publisher', 'api-clients'],
    mostMs: 120_000,
    hopelessMs: 40_000,
    signal: AbortSignal.any([]),
    onPoll: (open) => say(`coming to rest: ${open.length === 0 ? 'nothing is open' : open.join(', ')}`),
  })
  const nowMs = Date.now() - mesh.beganAt
  await gather({
    run: folder,
    beganAt: mesh.beganAt,
    handlers: handlerFacts,
    isMended: false,
    nats: mesh.nats,
    clickhouseUrl: mesh.clickhouseUrl,
    partners: partnerEffects((partner) => mesh.partnerLedger(partner), nowMs),
  })
  const { met } = mesh.clients
  const evidence: Evidence = {
    stages: readStages(mesh.stagesFolder),
    stored: readStored(folder),
    durables: await readDurables(mesh.nats),
    met,
    ended: pods,
    brokers,
    unready: mesh.unready,
    refusals: mesh.refusals,
  }
  const { answerMs, failures, queued } = met
  const times = { p99Ms: quantile(answerMs, 0.99), maxMs: quantile(answerMs, 1) }
  return {
    from: releases.old.name,
    to: releases.new.name,
    loadMs,
    centers: options.centers,
    events: options.events,
    answers: { count: answerMs.length, failures: failures.length, queued, ...times },
    endToEnd: endToEnd(evidence),
    waits: waitsOf(evidence),
    pods,
    brokers,
    rest,
    verdict: checkSaved(folder),
    breaches: breachesOf(evidence),
    repeatedCalls: mesh.repeatedCalls(),
  }
}

async function rollAll(
  mesh: RollingMesh,
  options: RollOptions,
  say: (line: string) => void,
): Promise<{ pods: Ended[]; brokers: BrokerRolled[] }> {
  const { signal = 'SIGTERM', brokerEnd = 'lame-duck', calmMs = 2000, only } = options
  await sleep(calmMs)
  const all = only ? only.map((name) => mesh.workloads.find((one) => one.name === name)!) : mesh.workloads
  const pods: Ended[] = []
  const rollOne = async (one: (typeof all)[number]): Promise<void> => {
    const ended = await one.roll({ signal })
    pods.push(...ended)
    say(`${one.name} was rolled: ${ended.map(({ drainMs }) => `${drainMs} ms`).join(', ')}`)
  }
  if (options.workloads === 'together') await Promise.all(all.map(rollOne))
  else for (const one of all) await rollOne(one)
  const brokers: BrokerRolled[] = []
  for (const node of mesh.brokers.nodes.slice(0, options.brokers ?? 3)) {
    if (brokerEnd === 'lame-duck') await mesh.handOver(node.name)
    const rolled = await rollBroker(node, brokerEnd, mesh.nats)
    brokers.push(rolled)
    say(`${rolled.broker} was rolled: ${rolled.leftMs} ms to leave, ${rolled.awayMs} ms to be back`)
  }
  await sleep(calmMs)
  return { pods, brokers }
}
