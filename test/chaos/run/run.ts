import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkSaved, type Verdict } from '../checker/check-saved.ts'
import { gather } from '../history/gather.ts'
import { openRecorder } from '../history/recorder.ts'
import { operationsFolder } from '../history/saved-run.ts'
import { openTally, type Tally } from '../history/tally.ts'
import type { Nemesis } from '../nemeses/nemesis.ts'
import type { Plan } from '../plan.ts'
import { type Found, foundOf, plantedFile } from '../plants/found.ts'
import { type Plant, plantEnv } from '../plants/plants.ts'
import { type Growth, growthOf } from '../soak/flat.ts'
import { sampleProcesses, type Series } from '../soak/sample.ts'
import { type RunningSystem, startSystem } from '../system/start-system.ts'
import { refusedWrongly } from './refused-wrongly.ts'
import { handlerFacts } from '../workload/handler-facts.ts'
import { type Carried, carryOut, type Faults } from './carry-out.ts'
import { heal } from './heal.ts'
import { finishWork, mend } from './mend.ts'
import { partnerEffects } from './partner-effects.ts'
import { type Rest, untilQuiet } from './quiet.ts'

export type RunOptions = {
  plan: Plan
  nemeses: readonly Nemesis[]
  /** Messages a second. */
  rate: number
  /** Where the run is kept; what is there is removed. */
  folder: string
  say: (line: string) => void
  /** A defect that some processes are to have. */
  plant?: Plant | undefined
  /** Ends the run early: before the load with a rejection, later it heals, gathers and judges what there is. */
  signal: AbortSignal
}

/** What a run was. */
export type RunResult = {
  seed: number
  topology: Plan['topology']
  startedAt: string
  /** How long the load was on, ms. */
  loadMs: number
  rate: number
  previousRelease: string
  counts: Pick<Tally, 'published' | 'unknown' | 'deliveries' | 'effects' | 'acks'>
  /** Messages in the streams in the end: published, and published by handlers. */
  messages: number
  faults: readonly Carried[]
  troubles: readonly string[]
  /** Nemeses that were planned and never did their harm. */
  idle: readonly string[]
  /** Types of which nothing was acknowledged any more after everything had been healed. */
  unheard: readonly string[]
  /** Publishes that ended with something else than an answer or a time-out, by what it was. */
  misends: Readonly<Record<string, number>>
  /** Processes that ended of an error which nobody caught, by name. */
  crashes: Readonly<Record<string, number>>
  /** What brokers refused to users with the rights of production, each once. */
  refused: readonly string[]
  /** What could not be mended when the load was over, a sentence each. */
  unhealed: readonly string[]
  rest: Rest
  verdict: Verdict
  planted?: Found
  /** Of a run in which nothing was broken. */
  soak?: { growth: readonly Growth[]; series: readonly Series[] }
}

const PROGRESS_MS = 5000
/** An election, and the longest pause between two tries. */
const HEARD_WITHIN_MS = 60_000
const MOST_REST_MS = 300_000
/** What a plant took away does not come, and need not be waited for like what is merely late. */
const PLANTED_HOPELESS_MS = 20_000

/** One run: starts everything, breaks it by the plan, lets it come to rest, and judges what came of it. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { plan, rate, say, plant } = options
  const folder = resolve(options.folder)
  await rm(folder, { recursive: true, force: true })
  const logs = join(folder, 'logs')
  await mkdir(logs, { recursive: true })
  await writeFile(join(folder, 'plan.json'), `${JSON.stringify(plan, undefined, 2)}\n`)
  const operations = operationsFolder(folder)
  const began = { ns: process.hrtime.bigint(), at: Date.now() }
  const startedAt = new Date(began.at).toISOString()
  say('starting the reference mesh and the load')
  const { seed, topology } = plan
  const planted = plant && { plant, env: plantEnv(plant.name, { seed, planted: plantedFile(folder) }) }
  const { signal } = options
  const about = { topology, rate, operations, logs, beganNs: began.ns, plant: planted, signal }
  await using system = await startSystem(about)
  const recorder = openRecorder({ process: 'nemeses', file: join(operations, 'nemeses.jsonl'), beganNs: began.ns })
  const tally = openTally(operations, handlerFacts)

  const loadedAt = performance.now()
  const sampling = plan.steps.length === 0 ? sampleProcesses(system.processes) : undefined
  const faults = await harm(system, { ...options, recorder, tally }).finally(() => sampling?.[Symbol.dispose]())
  const loadMs = Math.round(performance.now() - loadedAt)
  say('healing everything')
  const unhealed = await heal(system)
  unhealed.push(...(await finishWork(system)))
  for (const trouble of unhealed) say(trouble)
  const unheard = await untilHeard(tally)
  await system.endLoad()
  const quiet = (): Promise<Rest> =>
    untilQuiet({
      nats: system.operator,
      clickhouseUrl: system.clickhouseUrl,
      tally,
      publishers: system.publishers,
      mostMs: MOST_REST_MS,
      ...(plant && { hopelessMs: PLANTED_HOPELESS_MS }),
      signal: AbortSignal.any([]),
      onPoll: (open) => say(`coming to rest: ${open.length === 0 ? 'nothing is open' : open.join(', ')}`),
    })
  const first = await quiet()
  // A plant takes away what would be mended.
  const isMended = first.isQuiet && plant === undefined
  if (isMended) {
    say('mending the handlers, and sending every dead letter again')
    for (const trouble of await mend(system)) unhealed.push(trouble)
  }
  const rest = isMended ? await quiet() : first
  say('gathering streams and archive')
  await gather({
    run: folder,
    beganAt: began.at,
    handlers: handlerFacts,
    isMended,
    nats: system.operator,
    clickhouseUrl: system.clickhouseUrl,
    partners: partnerEffects((partner) => system.partnerLedger(partner), recorder.now()),
  })
  say('checking')
  const verdict = checkSaved(folder)
  const { published, unknown, deliveries, effects, acks } = tally
  const counts = { published, unknown, deliveries, effects, acks }
  const facts = { seed, topology, startedAt, loadMs, rate, previousRelease: system.previous, counts }
  const { carried, troubles } = faults
  const idle = [...new Set(plan.steps.map(({ nemesis }) => nemesis))].filter(
    (name) => !carried.some(({ nemesis }) => nemesis === name),
  )
  const deleted = carried.filter(({ nemesis }) => nemesis === 'delete-stream').map(({ target }) => target)
  const refused = refusedWrongly(system.refusals, deleted)
  const broken = { faults: carried, troubles, idle, unhealed, unheard, crashes: system.crashes(), refused }
  const soak = sampling && { soak: { growth: growthOf(sampling.series), series: sampling.series } }
  const found = plant && { planted: foundOf(plant, folder, verdict) }
  const misends = Object.fromEntries(tally.faults)
  return { ...facts, ...broken, misends, messages: verdict.messages, rest, verdict, ...found, ...soak }
}

/** The load is still on: of each type something must come through now. @returns types of which nothing does */
async function untilHeard(tally: Tally): Promise<string[]> {
  tally.read()
  const before = new Map(tally.byType)
  const until = performance.now() + HEARD_WITHIN_MS
  for (;;) {
    const unheard = [...before].filter(([type, count]) => tally.byType.get(type) === count).map(([type]) => type)
    if (unheard.length === 0 || performance.now() > until) return unheard
    await sleep(250)
    tally.read()
  }
}

type Harm = RunOptions & { recorder: ReturnType<typeof openRecorder>; tally: Tally }

/** Carries the plan out and tells how far it is. */
async function harm(system: RunningSystem, options: Harm): Promise<Faults> {
  const { plan, nemeses, recorder, tally, say, signal } = options
  const startedAt = performance.now()
  const faults = carryOut(plan, { system, nemeses, recorder, signal })
  const progress = setInterval(() => {
    tally.read()
    say(progressLine(performance.now() - startedAt, { tally, faults, plan }))
  }, PROGRESS_MS)
  try {
    await sleep(plan.durationMs, undefined, { signal }).catch(() => undefined)
    await faults.over
  } finally {
    clearInterval(progress)
  }
  return faults
}

type Progress = { tally: Tally; faults: Faults; plan: Plan }

function progressLine(elapsedMs: number, { tally, faults, plan }: Progress): string {
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`
  const rate = Math.round((tally.published / elapsedMs) * 1000)
  const active = faults.active.size === 0 ? 'nothing is broken' : [...faults.active].join(' + ')
  const { published, outstanding } = tally
  return `${seconds(elapsedMs)} of ${seconds(plan.durationMs)}: ${published} published (${rate}/s), ${outstanding} effects outstanding, ${active}`
}
