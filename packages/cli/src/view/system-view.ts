import Table from 'cli-table3'
import { createColors } from 'picocolors'
import { tableStyle } from './table-style.ts'
import { partnerNames } from '../system/partners.ts'
import { serviceNames } from '../system/processes.ts'
import type { SystemReport } from '../system/report.ts'

/** Where everything is, for a person: URLs by what one does with them, then what to do next. */
export function drawSystem(report: SystemReport, dataPath: string, colors: boolean): string {
  const pc = createColors(colors)
  const table = new Table(tableStyle(colors))
  const { tracesBackend } = report
  table.push(
    ['API', `${report.api}  ${pc.dim(`description: ${report.api}/openapi.json`)}`],
    ...(report.console ? [['console', `${report.console}  ${pc.dim('dead letters, runs, archive')}`]] : []),
    [
      'traces',
      `${report.traces}  ${pc.dim(tracesBackend === 'jaeger' ? 'Jaeger' : 'built-in store, Jaeger was not found')}`,
    ],
    ['NATS', `${report.nats}  ${pc.dim(`monitor: ${report.natsMonitor}`)}`],
    ['users of NATS', `${report.natsUsers}  ${pc.dim('a key each; whoever shows none may do everything')}`],
    ['ClickHouse', report.clickhouse],
    ...partnerNames.map((name) => [
      name,
      `${report.partners[name]}  ${pc.dim(`faults: ${report.partnerControls[name]}`)}`,
    ]),
    ...serviceNames.map((name) => [name, `${report.services[name].health}/readyz  ${pc.dim(pidText(report, name))}`]),
    ['data, logs', dataPath],
  )
  return `${table.toString()}\n${nextSteps(report, pc)}`
}

function nextSteps(report: SystemReport, pc: ReturnType<typeof createColors>): string {
  const body = JSON.stringify({
    name: 'Distribution centre Recife',
    city: { name: 'Recife', state: 'PE', country: 'BR' },
  })
  const json = `-H 'content-type: application/json'`
  return [
    pc.bold('Register a centre:'),
    `  curl -i ${report.api}/centers ${json} -d '${body}'`,
    pc.bold('See how far it is:'),
    `  curl ${report.api}/centers`,
    pc.bold('Take a partner down, and bring it back:'),
    `  curl -X PUT ${report.partnerControls.dmitri}/_fault ${json} -d '{"mode":"down"}'`,
    `  curl -X PUT ${report.partnerControls.dmitri}/_fault ${json} -d '{"mode":"up"}'`,
    '',
    pc.dim('Ctrl-C stops everything.'),
  ].join('\n')
}

function pidText(report: SystemReport, name: (typeof serviceNames)[number]): string {
  const { pid } = report.services[name]
  return pid === null ? 'being started again' : `pid ${pid}`
}
