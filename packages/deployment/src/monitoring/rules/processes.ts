import { grew, lines, OLD_PROCESS } from '../expressions.ts'
import type { Alert, RuleGroup } from '../rule.ts'
import type { Times } from '../time.ts'

const WHERE = '{{ $labels.instance }}'

/** Processes, and what tells of them: traces and notifications. */
export function processRules(t: Times): RuleGroup {
  return { name: 'processes', recordings: [], alerts: [...processes(t), ending(t), ...telling(t)] }
}

function processes(t: Times): Alert[] {
  const info = 'mesh_build_info{job="malha", instance="a", service="provider"}'
  const up = 'up{job="malha", instance="a"}'
  const started = 'process_start_time_seconds{job="malha", instance="a"}'
  const labels = { job: 'malha', instance: 'a' }
  return [
    {
      alert: 'TargetDown',
      // Only of jobs that had processes of a mesh: others have alerts of their own.
      expr: `up == 0 and on (namespace, job) max by (namespace, job) (max_over_time(mesh_build_info[${t('1d')}]))`,
      for: t('5m'),
      severity: 'page',
      summary: `${WHERE} does not answer Prometheus`,
      description: 'The process is gone, hangs, or cannot be reached. If others of its kind run, its work is theirs.',
      proof: {
        series: { [up]: '1x10 0x30 1x60', [info]: '1x10 _x30 1x60' },
        fires: '30m',
        over: '60m',
        labels,
        silent: [{ 'up{job="other", instance="b"}': '0x60', [info]: '1x60' }],
      },
    },
    {
      alert: 'MeshAbsent',
      expr: 'absent(mesh_build_info)',
      for: t('5m'),
      severity: 'page',
      summary: 'Prometheus sees no process of the mesh at all',
      description: 'Nothing runs, or nothing is scraped. No other alert of the mesh can fire while this is so.',
      proof: { series: { [info]: '_x20 1x60' }, fires: '15m', over: '40m', labels: {} },
    },
    {
      alert: 'ProcessRestarting',
      expr: `changes(process_start_time_seconds[${t('15m')}]) >= 3 and on (namespace, job, instance) mesh_build_info`,
      severity: 'ticket',
      summary: `${WHERE} has been started three times in a quarter of an hour`,
      description: 'It ends by itself, or something ends it. The last lines of its log say why.',
      proof: {
        series: { [started]: '0x5 100x5 200x5 300x60', [info]: '1x100' },
        fires: '19m',
        over: '50m',
        labels,
        silent: [{ [started]: '0x5 100x60', [info]: '1x100' }],
      },
    },
    {
      alert: 'EventLoopSlow',
      // Over a while: one that is blocked for so long misses a scrape now and then.
      expr: lines(
        `avg_over_time(nodejs_eventloop_lag_p99_seconds[${t('5m')}]) > 0.5`,
        `and on (namespace, job, instance) max_over_time(mesh_build_info[${t('5m')}])`,
      ),
      for: t('5m'),
      severity: 'ticket',
      summary: `The event loop of ${WHERE} is blocked for half a second at a time`,
      description: 'Something computes for long, or the process has too little CPU. Heartbeats and acks come late.',
      proof: {
        series: {
          'nodejs_eventloop_lag_p99_seconds{job="malha", instance="a"}': '0.02x5 0.9x30 0.02x60',
          [info]: '1x100',
        },
        fires: '20m',
        over: '60m',
        labels,
      },
    },
  ]
}

function ending(t: Times): Alert {
  const ends = 'mesh_credentials_end_timestamp_seconds{job="malha", instance="a", kind="client_certificate"}'
  return {
    alert: 'CredentialsEndSoon',
    expr: `mesh_credentials_end_timestamp_seconds < time() + ${t.seconds('7d')}`,
    for: t('15m'),
    severity: 'ticket',
    summary: `{{ $labels.kind }} of ${WHERE} ends within a week, or has ended`,
    description: 'What renews it did not. Connections that are made after its end are refused.',
    proof: {
      // Its end is a week and ten minutes from the first sample; later a renewed one is there.
      series: { [ends]: '605400x40 9000000x60' },
      fires: '35m',
      over: '60m',
      labels: { job: 'malha', instance: 'a', kind: 'client_certificate' },
      silent: [{ [ends]: '9000000x60' }],
    },
  }
}

function telling(t: Times): Alert[] {
  return [
    {
      alert: 'SpansDropped',
      expr: grew('mesh_spans_dropped_total', 'namespace, reason', { t, within: '15m' }),
      severity: 'ticket',
      summary: 'Spans never reached the collector: {{ $labels.reason }}',
      description: 'Traces have holes. The collector is away or too slow; messages are not touched by it.',
      proof: {
        series: { ...OLD_PROCESS, 'mesh_spans_dropped_total{reason="export-failed", instance="a"}': '_x20 100x60' },
        fires: '25m',
        over: '40m',
        labels: { reason: 'export-failed' },
      },
    },
    {
      alert: 'NotificationsRefused',
      expr: grew('mesh_notifications_total{outcome="refused"}', 'namespace, kind', { t, within: '15m' }),
      severity: 'page',
      summary: 'The webhook refuses what people are told of: {{ $labels.kind }}',
      description: 'Nobody learns of it but here. Correct the address of the webhook.',
      proof: {
        series: {
          ...OLD_PROCESS,
          'mesh_notifications_total{kind="letters", outcome="refused", instance="a"}': '_x20 1x60',
        },
        fires: '25m',
        over: '40m',
        labels: { kind: 'letters' },
        silent: [
          { ...OLD_PROCESS, 'mesh_notifications_total{kind="letters", outcome="told", instance="a"}': '0+1x60' },
        ],
      },
    },
    {
      alert: 'NotificationsOwed',
      expr: 'max by (namespace) (mesh_notifications_owed) > 0',
      for: t('30m'),
      severity: 'ticket',
      summary: 'People are still to be told of dead letters, for half an hour',
      description: 'The webhook is away. What is owed is told when it is back.',
      proof: {
        series: { 'mesh_notifications_owed{instance="a"}': '0x5 2x45 0x60' },
        fires: '40m',
        over: '80m',
        labels: {},
      },
    },
  ]
}
