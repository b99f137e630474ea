import {
  checkContracts,
  type CompatibilityMode,
  type ContractsSnapshot,
  contractsSnapshot,
  type Incompatibility,
} from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { type Command, Option } from 'commander'
import { apart, type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { loadContracts } from '../contracts/load-contracts.ts'
import { readReleased } from '../contracts/read-released.ts'
import { type Clash, drawClashes, drawContracts } from '../view/contracts-view.ts'
import { print, screen } from '../view/print.ts'
import { EXIT_NO } from './exit-codes.ts'

type Json = ConnectOptions & { json?: true }
type CheckOptions = Json & { contracts: string; against: string; mode: CompatibilityMode }

/** `malha contracts`: what is published, and whether a change of it does harm. */
export function register(program: Command): void {
  const contracts = program
    .command('contracts')
    .description('the contracts of services, and what a change of them breaks')
  registerList(contracts)
  registerCheck(contracts)
  registerSnapshot(contracts)
}

function registerList(contracts: Command): void {
  withConnection(contracts.command('list'))
    .description('the contracts that the services of a mesh said at their last start')
    .option('--json', 'one JSON value: { contracts }, with schemas')
    .addHelpText('after', '\nExamples:\n  malha contracts list --context production\nExit codes: 0 listed, 1 an error.')
    .action(async ({ json, ...connection }: Json) => {
      await using mesh = await connectToMesh(connection)
      using operations = await openOperations(mesh)
      const list = await operations.contracts.list()
      print(json ? JSON.stringify({ contracts: list }) : drawContracts(list, screen()))
    })
}

function registerCheck(contracts: Command): void {
  withConnection(contracts.command('check'))
    .description('compare contracts with what is released: in CI, before a release')
    .requiredOption('--contracts <module>', 'the contracts that are to be released: a file, or a package')
    .option(
      '--against <what>',
      'a file of malha contracts snapshot, the same at git (main:contracts.json), or mesh',
      'contracts.json',
    )
    .addOption(
      new Option('--mode <mode>', 'backward: new code reads old events; forward: old code reads new ones; full: both')
        .choices(['backward', 'forward', 'full'])
        .default('full'),
    )
    .option('--json', 'one JSON value: { compatible, incompatibilities }')
    .addHelpText(
      'after',
      `
Against mesh, each contract is compared with what every service of that mesh said of it.

Examples:
  malha contracts check --contracts src/contracts.ts
  malha contracts check --contracts @shop/contracts --against main:contracts.json
  malha contracts check --contracts src/contracts.ts --against mesh --context production
Exit codes: 0 they get along, 1 an error, 3 they do not.`,
    )
    .action(async (options: CheckOptions) => {
      const { connection, rest } = apart(options)
      const after = contractsSnapshot(await loadContracts(rest.contracts))
      const clashes =
        rest.against === 'mesh'
          ? await clashesInMesh(connection, after, rest.mode)
          : clashesWith(rest.against, {
              before: (await readReleased(rest.against)) as ContractsSnapshot,
              after,
              mode: rest.mode,
            })
      const compatible = clashes.length === 0
      print(
        rest.json
          ? JSON.stringify({ compatible, incompatibilities: clashes })
          : drawClashes(clashes, after.contracts.length, screen()),
      )
      if (!compatible) process.exitCode = EXIT_NO
    })
}

function registerSnapshot(contracts: Command): void {
  contracts
    .command('snapshot')
    .description('the contracts of a module as JSON, for a file in version control: what is released')
    .requiredOption('--contracts <module>', 'a file, or a package')
    .option('--json', 'on one line')
    .addHelpText(
      'after',
      `
Examples:
  malha contracts snapshot --contracts src/contracts.ts > contracts.json
Exit codes: 0 written, 1 an error.`,
    )
    .action(async ({ contracts: module, json }: { contracts: string; json?: true }) => {
      print(JSON.stringify(contractsSnapshot(await loadContracts(module)), null, json ? undefined : 2))
    })
}

type Pair = { before: ContractsSnapshot; after: ContractsSnapshot; mode: CompatibilityMode }

const clashesWith = (against: string, pair: Pair): Clash[] =>
  checkContracts(pair).map((one: Incompatibility) => ({ against, ...one }))

/** With each service apart: a type that it does not know is none of its business. */
async function clashesInMesh(
  connection: ConnectOptions,
  after: ContractsSnapshot,
  mode: CompatibilityMode,
): Promise<Clash[]> {
  await using mesh = await connectToMesh(connection)
  using operations = await openOperations(mesh)
  const types = new Set(after.contracts.map(({ type }) => type))
  return (await operations.contracts.services()).flatMap(({ service, contracts }) => {
    const before = { ...after, contracts: contracts.filter(({ type }) => types.has(type)) }
    return clashesWith(`service ${service}`, { before, after, mode })
  })
}
