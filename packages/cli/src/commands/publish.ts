import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { type AnyContract, type Priority } from '@malha/mesh'
import { type Actor, openOperations, OperationsError, type PublishEventOptions } from '@malha/operations'
import { type Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { apart, asActor, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { loadContracts } from '../contracts/load-contracts.ts'
import { print, screen } from '../view/print.ts'
import { drawPublished } from '../view/publish-view.ts'
import { say } from '../view/say.ts'
import { visible } from '../view/visible.ts'
import { duration } from './arguments.ts'
import { EXIT_NO } from './exit-codes.ts'

type PublishCommandOptions = ConnectOptions &
  Actor & {
    data: string
    contracts?: string
    key?: string
    id?: string
    in?: number
    priority?: Priority
    once?: true
    correlation?: string
    dryRun?: true
    json?: true
  }

/** `malha publish`: one event, checked against its contract. */
export function register(program: Command): void {
  asActor(withConnection(program.command('publish')))
    .description('publish one event or command, checked against its contract')
    .argument('<type>', 'e.g. center.registered')
    .requiredOption('--data <json>', 'the payload: JSON, @file, or - for standard input')
    .option(
      '--contracts <module>',
      'take the contract from this file or package, not from what the services of the mesh said',
    )
    .option('--key <key>', 'the key, where the contract computes it by code')
    .option('--id <id>', 'its identity: a second publish under it stores nothing; a new one if left out')
    .option('--in <duration>', 'it comes this much later: 30s, 5m, 2h, 1d', duration)
    .addOption(
      new Option('--priority <priority>', 'of a command that has priorities').choices(['high', 'normal', 'low']),
    )
    .option('--once', 'only if its stream holds none of this type and key')
    .option('--correlation <id>', 'what it belongs to')
    .option('--dry-run', 'check it, say where it would go, and store nothing')
    .option('--json', 'one JSON value: { type, version, id, key, subject, stream, seq, duplicate, waitsUntil }')
    .addHelpText(
      'after',
      `
Examples:
  malha publish center.registered --data @center.json --dry-run
  echo '{"centerId":"c-1"}' | malha publish center.closed --data -
  malha publish mail.send --data '{"to":"a@example.org"}' --in 5m --priority low
Exit codes: 0 stored, or fit in a dry run; 1 an error; 3 refused: the payload does not fit its contract.`,
    )
    .action(async (type: string, options: PublishCommandOptions) => {
      const { connection, rest } = apart(options)
      const data = await payload(rest.data)
      const declared = rest.contracts === undefined ? undefined : await contractOf(rest.contracts, type)
      await using mesh = await connectToMesh(connection, { acts: !rest.dryRun })
      using operations = await openOperations(mesh)
      try {
        const published = await operations.contracts.publish(declared ?? type, data, publishOptions(rest))
        print(rest.json ? JSON.stringify(published) : drawPublished(published, screen()))
      } catch (error) {
        if (!(error instanceof OperationsError) || error.code !== 'OPERATIONS_PAYLOAD_REFUSED') throw error
        say(visible(error.message, { lines: true }))
        process.exitCode = EXIT_NO
      }
    })
}

function publishOptions({
  who,
  reason,
  key,
  id,
  in: deliverIn,
  priority,
  once,
  correlation,
  dryRun,
}: Omit<PublishCommandOptions, keyof ConnectOptions>): Actor & PublishEventOptions {
  return { who, reason, key, id, deliverIn, priority, once, correlationId: correlation, dryRun }
}

/** @throws CliError CLI_INVALID_OPTION */
async function payload(given: string): Promise<unknown> {
  const from = given === '-' ? 'standard input' : given.startsWith('@') ? given.slice(1) : '--data'
  const json = given === '-' ? await text(process.stdin) : given.startsWith('@') ? await fileText(from) : given
  try {
    return JSON.parse(json) as unknown
  } catch (error) {
    // V8 repeats the text around the fault, which may be a secret.
    const place = /position \d+( \(line \d+ column \d+\))?/.exec(error instanceof Error ? error.message : '')?.[0]
    throw new CliError('CLI_INVALID_OPTION', `${from} is no JSON${place ? `, at ${place}` : ''}`)
  }
}

async function fileText(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliError('CLI_INVALID_OPTION', `--data: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  })
}

/** @throws CliError CLI_INVALID_OPTION */
async function contractOf(module: string, type: string): Promise<AnyContract> {
  const contracts = await loadContracts(module)
  const found = contracts.find((one) => one.type === type)
  if (found && found.kind !== 'request') return found
  const types = contracts.flatMap((one) => (one.kind === 'request' ? [] : [one.type]))
  throw new CliError(
    'CLI_INVALID_OPTION',
    `${module} has no event or command ${type}; it has ${types.join(', ') || 'none'}`,
  )
}
