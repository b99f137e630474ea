import { grew, OLD_PROCESS } from '../expressions.ts'
import type { Alert, RuleGroup } from '../rule.ts'
import type { Times } from '../time.ts'

const BY = 'namespace, stream'
const IT = 'the stream {{ $labels.stream }}'
const labels = { stream: 'CENTERS' }
const of = (metric: string): string => `${metric}{stream="CENTERS", instance="a"}`

/** Whether the archive keeps up, and whether anything is missing in it. */
export function archiveRules(t: Times): RuleGroup {
  return { name: 'archive', recordings: [], alerts: [...lag(t), ...loss(t)] }
}

function lag(t: Times): Alert[] {
  const used = `max by (${BY}) (mesh_archive_retention_used_ratio)`
  return [
    {
      alert: 'ArchiveBehind',
      expr: `max by (${BY}) (mesh_archive_lag_seconds) > ${t.seconds('5m')}`,
      for: t('5m'),
      severity: 'ticket',
      summary: `The archive is more than five minutes behind ${IT}`,
      description:
        'ClickHouse is away or slow, or nobody writes. Nothing is lost while the stream still has the events.',
      proof: { series: { [of('mesh_archive_lag_seconds')]: '0x5 400x30 0x60' }, fires: '20m', over: '60m', labels },
    },
    {
      alert: 'ArchiveRunningOut',
      expr: `${used} > 0.5`,
      for: t('5m'),
      severity: 'ticket',
      summary: `Half of the time is gone in which ${IT} can still be archived`,
      description:
        'The oldest event that is not in the archive has used half of what the stream keeps, in time or in space.',
      proof: {
        series: { [of('mesh_archive_retention_used_ratio')]: '0.6x20 0x60' },
        fires: '10m',
        over: '40m',
        labels,
      },
    },
    {
      alert: 'ArchiveLosingSoon',
      expr: `${used} > 0.8`,
      severity: 'page',
      summary: `Events of ${IT} will soon be lost to the archive`,
      description:
        'Four fifths of what the stream keeps are used. Bring ClickHouse back, or have the stream keep more.',
      proof: {
        series: { [of('mesh_archive_retention_used_ratio')]: '0.9x20 0x60' },
        fires: '10m',
        over: '40m',
        labels,
      },
    },
    {
      alert: 'ArchiveWithoutWriter',
      expr: `sum by (${BY}) (mesh_archive_writer) == 0`,
      for: t('5m'),
      severity: 'ticket',
      summary: `No process writes ${IT} to the archive`,
      description: 'Processes of the archive run, and none has the lease: the broker does not answer them.',
      proof: { series: { [of('mesh_archive_writer')]: '1x5 0x20 1x60' }, fires: '15m', over: '40m', labels },
    },
  ]
}

function loss(t: Times): Alert[] {
  return [
    {
      alert: 'ArchiveGap',
      expr: grew('mesh_archive_gap_messages_total', BY, { t, within: '1h' }),
      severity: 'page',
      summary: `Events of ${IT} left it before they were archived`,
      description: 'The range is a row in archive.gaps. What handlers made of the events is not touched by it.',
      proof: {
        series: { ...OLD_PROCESS, [of('mesh_archive_gap_messages_total')]: '_x70 40x200' },
        fires: '90m',
        over: '160m',
        labels,
        silent: [{ ...OLD_PROCESS, [of('mesh_archive_gap_messages_total')]: '7x200' }],
      },
    },
    {
      alert: 'ArchiveDeadLetters',
      expr: grew('mesh_archive_dead_letters_total', BY, { t, within: '1h' }),
      severity: 'ticket',
      summary: `ClickHouse could not read events of ${IT}`,
      description: 'Their bytes are kept in archive.dead_letters, with what ClickHouse said.',
      proof: {
        series: { ...OLD_PROCESS, [of('mesh_archive_dead_letters_total')]: '_x70 1x200' },
        fires: '90m',
        over: '160m',
        labels,
      },
    },
  ]
}
