import { grew, lines, OLD_PROCESS } from '../expressions.ts'
import type { Alert, RuleGroup } from '../rule.ts'
import type { Times } from '../time.ts'

const TYPE = 'namespace, messaging_destination_template'
const EVENT = { messaging_destination_template: 'center.registered' }
const IT = '{{ $labels.messaging_destination_template }}'
const WHERE = '{{ $labels.instance }}'

/** What goes out: events, requests, delayed events, and the spool. */
export function messageRules(t: Times): RuleGroup {
  return { name: 'messages', recordings: [], alerts: [...sent(t), ...asked(t), ...spooled(t)] }
}

function sent(t: Times): Alert[] {
  const failed = 'messaging_client_sent_messages_total{outcome="error"}'
  const sample =
    'messaging_client_sent_messages_total{instance="a", messaging_destination_template="center.registered", outcome="error"}'
  const due =
    'mesh_delay_failures_total{instance="a", messaging_destination_template="center.registered", code="MESH_STREAM_FULL"}'
  return [
    {
      alert: 'PublishFailing',
      expr: grew(failed, TYPE, { t, within: '5m' }),
      severity: 'page',
      summary: `Events of type ${IT} could not be published`,
      description:
        'After all retries the server had not stored them, and no spool took them. Who asked for it got an error.',
      proof: {
        series: { ...OLD_PROCESS, [sample]: '_x5 3x60' },
        fires: '7m',
        over: '30m',
        labels: EVENT,
        silent: [{ ...OLD_PROCESS, [sample.replace('error', 'ok')]: '0+60x60' }],
      },
    },
    {
      alert: 'DelaysFailing',
      expr: grew('mesh_delay_failures_total', TYPE, { t, within: '10m' }),
      severity: 'ticket',
      summary: `Delayed events of type ${IT} are due and cannot be brought to their stream`,
      description:
        'They are tried again, at most a minute later; until then they are late. Most often the stream is full.',
      proof: { series: { ...OLD_PROCESS, [due]: '_x5 1+1x5 6x60' }, fires: '12m', over: '40m', labels: EVENT },
    },
  ]
}

function asked(t: Times): Alert[] {
  const by = 'namespace, type'
  const rate = (more: string): string => `sum by (${by}) (rate(mesh_request_duration_seconds_count${more}[${t('5m')}]))`
  const count = (outcome: string): string => `mesh_request_duration_seconds_count{type="quote", outcome="${outcome}"}`
  return [
    {
      alert: 'RequestsFailing',
      expr: `${rate('{outcome=~"no-responder|busy|timeout|failed"}')} / ${rate('')} > 0.05`,
      for: t('10m'),
      severity: 'page',
      summary: 'More than one in twenty requests of type {{ $labels.type }} gets no answer',
      description:
        'Nobody is there to answer, those that are there are busy or late, or they fail. A refusal is an answer.',
      proof: {
        series: { [count('timeout')]: '0+6x40 240x60', [count('ok')]: '0+54x100' },
        fires: '30m',
        over: '60m',
        labels: { type: 'quote' },
        silent: [{ [count('refused')]: '0+30x60', [count('ok')]: '0+30x60' }],
      },
    },
    {
      alert: 'ReplyCallsLeaked',
      expr: 'sum by (namespace, service, reply) (mesh_leaked_replies) > 0',
      severity: 'ticket',
      summary: 'Calls of the reply {{ $labels.service }}/{{ $labels.reply }} never returned',
      description: 'The function ignores its signal. Each call holds a slot until the process ends.',
      proof: {
        series: { 'mesh_leaked_replies{service="prices", reply="quote"}': '0x10 1x20 0x60' },
        fires: '20m',
        over: '60m',
        labels: { service: 'prices', reply: 'quote' },
      },
    },
  ]
}

function spooled(t: Times): Alert[] {
  const labels = { instance: 'a' }
  const of = (metric: string): string => `${metric}{instance="a"}`
  return [
    {
      alert: 'SpoolOld',
      expr: `mesh_spool_oldest_seconds > ${t.seconds('5m')}`,
      severity: 'page',
      summary: `Events have waited in the spool of ${WHERE} for five minutes`,
      description:
        'The broker is away, or does not take what is queued. Nothing is lost as long as the spool has room.',
      proof: { series: { [of('mesh_spool_oldest_seconds')]: '0+60x20 0x60' }, fires: '15m', over: '40m', labels },
    },
    {
      alert: 'SpoolFilling',
      expr: lines('mesh_spool_bytes / mesh_spool_max_bytes > 0.8'),
      severity: 'page',
      summary: `The spool of ${WHERE} is four fifths full`,
      description: 'When it is full, publishers are refused with 503. Bring the broker back, or give it more room.',
      proof: {
        series: { [of('mesh_spool_bytes')]: '10x5 90x20 0x60', [of('mesh_spool_max_bytes')]: '100x100' },
        fires: '15m',
        over: '40m',
        labels,
      },
    },
    {
      alert: 'SpoolDead',
      expr: 'mesh_spool_dead > 0',
      severity: 'ticket',
      summary: `The spool of ${WHERE} holds events that were refused for good`,
      description: 'They are kept in its file. The log of the process says why each was refused.',
      proof: { series: { [of('mesh_spool_dead')]: '0x5 1x20 0x60' }, fires: '15m', over: '40m', labels },
    },
  ]
}
