import { readFile } from 'node:fs/promises'
import {
  type Constants,
  constantsFrom,
  loadFaults,
  type LoadOptions,
  measuredConstants,
  planCapacity,
} from '@malha/deployment'
import { type Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { drawCapacity } from '../view/capacity-view.ts'
import { print, screen } from '../view/print.ts'
import { EXIT_NO } from './exit-codes.ts'
import { countOf, lengthOf, shareOf, sizeOf } from './quantities.ts'

type Given = Readonly<Record<string, string | boolean | undefined>>
type Kind = { read: (text: string) => number | undefined; words: string }

const count: Kind = { read: countOf, words: 'a number such as 200, 5k or 1.5M' }
const size: Kind = { read: sizeOf, words: 'a size such as 512, 1.5KiB or 64kB' }
const length: Kind = { read: lengthOf, words: 'a length such as 20ms, 90s, 2h or 7d' }
const share: Kind = { read: shareOf, words: 'a share such as 0.1% or 0.001' }

/** Options with a value: what they are of a load, and how they are written. */
const VALUES: readonly (readonly [flags: string, of: keyof LoadOptions, kind: Kind, description: string])[] = [
  ['--events-per-second <n>', 'eventsPerSecond', count, 'events published, all streams together, on average; needed'],
  ['--bytes <size>', 'bytes', size, 'payload of one event; needed'],
  ['--retention <length>', 'retentionMs', length, 'how long streams keep events; needed'],
  ['--peak <factor>', 'peak', count, 'the busiest second, as a multiple of the average (default: 1)'],
  ['--streams <n>', 'streams', count, 'streams that events are spread over (default: 1)'],
  ['--handlers <n>', 'handlers', count, 'handlers that each event reaches (default: 1)'],
  ['--handler-time <length>', 'handlerMs', length, 'how long one call takes (default: 10ms)'],
  ['--concurrency <n>', 'concurrency', count, 'calls at once in one instance (default: 16)'],
  ['--keys <n>', 'keys', count, 'how many keys there are (default: none)'],
  ['--once <handlers>', 'onceHandlers', count, "of these handlers, those with effects: 'once' (default: none)"],
  ['--inbox <handlers>', 'inboxHandlers', count, 'of these handlers, those with an inbox (default: none)'],
  ['--inbox-kept <length>', 'inboxKeptMs', length, 'how long an inbox keeps a record, keepMs (default: 1d)'],
  ['--dead-letters <share>', 'deadLetterShare', share, 'of calls that end in a dead letter (default: none)'],
  ['--letters-kept <length>', 'lettersKeptMs', length, 'until somebody deals with a letter (default: 7d)'],
  ['--delayed <share>', 'delayShare', share, 'of events that wait on a lane, or are for later (default: none)'],
  ['--delay <length>', 'delayMs', length, 'how long those wait (default: 1m)'],
  [
    '--archive-retention <length>',
    'archiveMs',
    length,
    'how long the archive keeps events (default: 396d, its 13 months)',
  ],
  [
    '--compression <share>',
    'compression',
    share,
    'what is left of a payload in the archive (default: that of varied JSON)',
  ],
  ['--replicas <n>', 'replicas', count, 'of each stream: 1, 3 or 5 (default: 3)'],
  ['--servers <n>', 'servers', count, 'nats-servers (default: 3, with one replica 1)'],
  ['--cores <n>', 'cores', count, 'of each of them (default: 2)'],
  ['--memory <size>', 'memoryBytes', size, 'of each of them (default: 8GiB)'],
  ['--disk <size>', 'diskBytes', size, 'of each of them (default: 100GiB)'],
  [
    '--network <size>',
    'networkBytesPerSecond',
    size,
    'a second and direction, of each of them (default: 125MB, 1 Gbit/s)',
  ],
  ['--archive-disk <size>', 'archiveDiskBytes', size, 'of ClickHouse (default: 500GiB)'],
]
const NEEDED: readonly (keyof LoadOptions)[] = ['eventsPerSecond', 'bytes', 'retentionMs']
const MAX_CONSTANTS_BYTES = 1024 ** 2

/** `malha capacity`: what a load needs, and which limit is met first. */
export function register(program: Command): void {
  const command = program
    .command('capacity')
    .description(
      'what a load needs of NATS, handlers and ClickHouse, from measured figures, and which limit is met first',
    )
  for (const [flags, , , description] of VALUES) command.option(flags, description)
  command
    .option('--ordered', "handlers keep the order of keys (order: 'key')")
    .option('--no-trace', 'events carry no trace context')
    .option('--no-archive', 'there is no archive')
    .addOption(
      new Option('--sync <when>', 'when servers write to the disk for good: sync_interval')
        .choices(['always', 'interval'])
        .default('always'),
    )
    .option('--constants <file>', 'figures measured on your own machines, in place of those that came with the release')
    .option('--json', 'one JSON value: { load, figures, limits, measuredOn }')
    .addHelpText(
      'after',
      `
It connects to nothing. Each figure says how it is computed and what it was measured with; a limit says how many times the
load it carries. Rates were measured on two shared cores: measure your own in a clone and pass them.
  malha bench --json results.json
  node test/capacity/main.ts --bench results.json --out capacity.json

Examples:
  malha capacity --events-per-second 200 --bytes 1.5KiB --retention 30d --handlers 3 --handler-time 40ms --keys 10k
  malha capacity --events-per-second 5k --bytes 1KiB --retention 7d --streams 4 --peak 3 --handlers 4 --cores 4
  malha capacity --events-per-second 5k --bytes 1KiB --retention 7d --constants capacity.json --json | jq '.limits[0]'
Exit codes: 0 the load is carried, 1 an error, 3 a limit is met below it.`,
    )
    .action(async (given: Given) => {
      const constants = await readConstants(given['constants'] as string | undefined)
      const plan = planCapacity(loadOf(given, command), constants)
      print(given['json'] ? JSON.stringify(plan) : drawCapacity(plan, screen()))
      if (plan.limits.some(({ factor }) => factor < 1)) process.exitCode = EXIT_NO
    })
}

/** @throws CliError CLI_INVALID_OPTION with all that is wrong */
function loadOf(given: Given, command: Command): LoadOptions {
  const faults: string[] = []
  const load: Partial<Record<keyof LoadOptions, number | boolean>> = {
    ordered: given['ordered'] === true,
    traced: given['trace'] !== false,
    syncAlways: given['sync'] === 'always',
  }
  const flagOf = new Map<string, string>()
  const attributes = command.options.map((option) => [option.flags, option.attributeName()] as const)
  for (const [flags, of, { read, words }] of VALUES) {
    const flag = flags.split(' ')[0]!
    flagOf.set(of, flag)
    const text = given[attributes.find(([each]) => each === flags)![1]]
    const value = typeof text === 'string' ? read(text) : undefined
    if (value !== undefined) load[of] = value
    else if (typeof text === 'string') faults.push(`${flag} is ${JSON.stringify(text)}; ${words}`)
    else if (NEEDED.includes(of)) faults.push(`${flag} is missing; ${words}`)
  }
  if (given['archive'] === false) load.archiveMs = 0
  // What was not understood is told above; the rest is looked at with something in its place.
  const rest = { ...Object.fromEntries(NEEDED.map((name) => [name, 1000])), ...load } as LoadOptions
  faults.push(...loadFaults(rest).map(({ option, fault }) => `${flagOf.get(option) ?? option} ${fault}`))
  if (faults.length > 0)
    throw new CliError(
      'CLI_INVALID_OPTION',
      `${faults.length === 1 ? 'an option means' : `${faults.length} options mean`} nothing:${faults.map((fault) => `\n  - ${fault}`).join('')}`,
    )
  return load as LoadOptions
}

/** @throws CliError CLI_INVALID_OPTION; DeploymentError DEPLOYMENT_CONSTANTS */
async function readConstants(file: string | undefined): Promise<Constants> {
  if (file === undefined) return measuredConstants
  const fail = (why: string, cause: unknown): never => {
    throw new CliError(
      'CLI_INVALID_OPTION',
      `--constants ${file}: ${why}; node test/capacity/main.ts --out ${file} makes one`,
      { cause },
    )
  }
  const text = await readFile(file, 'utf8').catch((cause: unknown) => fail('it cannot be read', cause))
  if (text.length > MAX_CONSTANTS_BYTES) fail('it is larger than 1 MiB', undefined)
  const parsed = ((): unknown => {
    try {
      return JSON.parse(text)
    } catch (cause) {
      return fail('it is no JSON', cause)
    }
  })()
  return constantsFrom(parsed)
}
