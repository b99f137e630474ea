import { examine, worst } from '@malha/operations'
import { type Command, Option } from 'commander'
import {
  apart,
  clickhouseUrl,
  type ConnectOptions,
  connectToMesh,
  serversOf,
  withConnection,
} from '../connection/connect-options.ts'
import { archiveFindings } from '../doctor/archive-lag.ts'
import { drawDiagnosis } from '../view/doctor-view.ts'
import { print, screen } from '../view/print.ts'
import { EXIT_BROKEN, EXIT_NO } from './exit-codes.ts'

type DoctorOptions = ConnectOptions & { clickhouse?: string; all?: true; wait: number; json?: true }

/** `malha doctor`: what is wrong with a mesh, and what to do about it. */
export function register(program: Command): void {
  withConnection(program.command('doctor'))
    .description(
      'look a mesh over: servers, certificates, account, permissions, clock, streams, consumers, services, delays, archive',
    )
    .option(
      '--clickhouse <url>',
      'of the archive; default that of the context, or CLICKHOUSE_URL; without it the archive is left out',
    )
    .addOption(
      new Option('--wait <seconds>', 'between two looks at consumers with work: one that did not move stands still')
        .argParser(Number)
        .default(2),
    )
    .option('--json', 'one JSON value: { state, findings }')
    .addHelpText(
      'after',
      `
It reads, and changes nothing. Each finding has what to do about it.

Examples:
  malha doctor
  malha doctor --context production --json | jq -r '.findings[] | select(.state != "ok") | .fix'
Exit codes: 0 all is well, 1 an error, 3 something is worth a look, 4 something is broken.`,
    )
    .action(async (options: DoctorOptions) => {
      const { connection, rest } = apart(options)
      const clickhouse = await clickhouseUrl(connection, rest.clickhouse)
      await using mesh = await connectToMesh(connection)
      const { findings: seen } = await examine(mesh, {
        againAfterMs: rest.wait * 1000,
        servers: await serversOf(connection),
      })
      const findings = [...seen, ...(clickhouse === undefined ? [] : await archiveFindings(mesh, clickhouse))]
      const state = worst(findings)
      print(rest.json ? JSON.stringify({ state, findings }) : drawDiagnosis({ state, findings }, screen()))
      process.exitCode = { ok: 0, warn: EXIT_NO, fail: EXIT_BROKEN }[state]
    })
}
