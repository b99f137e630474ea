import type { WriteStream } from 'node:tty'
import { type Command, InvalidArgumentError } from 'commander'
import { brazilianCities } from '../demo/cities.ts'
import { type CenterView, listCenters } from '../demo/center-api.ts'
import { whatIsMissing } from '../demo/missing.ts'
import { type DemoResult, runDemo } from '../demo/run-demo.ts'
import { openDataDir } from '../system/data-dir.ts'
import { openLogFiles } from '../system/log-files.ts'
import { addPortOptions, portsFrom } from '../system/port-options.ts'
import { startSystem } from '../system/start-system.ts'
import { listenForStop, StopRequested } from '../system/stop-request.ts'
import { showDuration } from '../view/duration.ts'
import { echoTo, wantsColors } from '../view/say.ts'
import { openStage } from '../view/stage.ts'
import { drawChecks, drawSummary } from '../view/summary-view.ts'
import { drawSystem } from '../view/system-view.ts'
import { orphans } from '@malha/operations'
import { plural } from '../view/text.ts'
import { drawWaterfall } from '../view/waterfall.ts'

type DemoCommandOptions = {
  centers: number
  timeout: number
  keep?: true
  json?: true
  verbose?: true
} & Record<string, unknown>

/** `malha demo`: the main job on real input, with partners that fail and a service that is killed, judged at the end. */
export function register(program: Command): void {
  const command = program
    .command('demo')
    .description(
      'register distribution centres while partners fail and a service is killed, then check that nothing was lost',
    )
    .option('--centers <n>', 'how many centres, in the most populous cities of Brazil', atLeastOne, 300)
    .option('--timeout <seconds>', 'how long all centres may take to be onboarded', atLeastOne, 300)
    .option('--keep', 'leave everything running afterwards, until Ctrl-C')
    .option('--json', 'the summary as one JSON line on stdout, all else on stderr')
    .option('--verbose', "show the processes' logs on stderr")
  addPortOptions(command, 'random')
  command.addHelpText(
    'after',
    `
Examples:
  malha demo
  malha demo --centers 50 --keep
Exit codes: 0 every check held, 1 one did not, or an error; 130 stopped by Ctrl-C.`,
  )
  command.action(async (options: DemoCommandOptions) => {
    const ended = await demo(options).catch((error: unknown) => error)
    if (ended instanceof StopRequested) process.exitCode = 130
    else if (typeof ended === 'boolean') process.exitCode = ended ? 0 : 1
    else throw ended
  })
}

/** @returns whether every check held */
async function demo(options: DemoCommandOptions): Promise<boolean> {
  const startedAt = Date.now()
  using stop = listenForStop()
  const out = options.json ? process.stderr : process.stdout
  const cities = await brazilianCities(options.centers)
  const ports = await portsFrom(options)
  await using data = await openDataDir()
  await using logs = openLogFiles(await data.folder('logs'), echoTo(options.verbose))
  const stage = openStage({ out, startedAt })
  stage.announce('starting NATS, ClickHouse, traces, three partner simulators, three services and the archive')
  await using running = await startSystem({ data, ports, logs, log: stage.announce, signal: stop.signal })
  stage.announce('all are ready')
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(options.timeout * 1000)])
  try {
    const result = await runDemo({ system: running, cities, stage, startedAt, signal }).finally(stage.end)
    showResult(result, out)
    if (options.json) process.stdout.write(`${JSON.stringify(result.summary)}\n`)
    if (result.summary.verdict === 'failed') sayKept(data.keep(), out)
    if (options.keep) {
      out.write(`\n${drawSystem(running.report, data.path, wantsColors(out))}\n`)
      await stop.asked
    }
    return result.summary.verdict === 'held'
  } catch (error) {
    stop.signal.throwIfAborted()
    sayKept(data.keep(), out)
    if (!signal.aborted) throw error
    return tookTooLong(await listCenters(running.report.api), options, out)
  }
}

function showResult({ summary, checks, waterfall }: DemoResult, out: WriteStream): void {
  const colors = wantsColors(out)
  out.write(`\n${drawChecks(checks, colors)}\n\n${drawSummary(summary, colors)}\n`)
  if (summary.journey === null) return
  const { city, link } = summary.journey
  const lines = drawWaterfall(waterfall, { width: out.columns ?? 120, colors })
  out.write(`\nThe journey of one centre, ${city}, in one trace:\n${lines.join('\n')}\n`)
  const lost = orphans(waterfall)
  if (lost > 0) out.write(`${plural(lost, 'span')} without a parent: it was lost with the killed process\n`)
  out.write(`\n${link}\n`)
}

function sayKept(path: string, out: WriteStream): void {
  out.write(`\ndata and logs of this run are kept in ${path}\n`)
}

type Asked = Pick<DemoCommandOptions, 'centers' | 'timeout' | 'json'>

function tookTooLong(known: readonly CenterView[], { centers, timeout, json }: Asked, out: WriteStream): false {
  const missing = whatIsMissing(known, centers)
  const took = `not every centre was onboarded within ${showDuration(timeout * 1000)}`
  out.write(`\n${took}:\n${missing.map((line) => `  ✗ ${line}`).join('\n')}\n`)
  if (json) process.stdout.write(`${JSON.stringify({ verdict: 'failed', reason: took, missing })}\n`)
  return false
}

function atLeastOne(text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < 1) throw new InvalidArgumentError('a whole number from 1')
  return number
}
