import { lines } from '../expressions.ts'
import type { Alert, RuleGroup } from '../rule.ts'
import type { Times } from '../time.ts'

/** Outbox, sagas and projections; silent where there are none. */
export function patternRules(t: Times): RuleGroup {
  return { name: 'patterns', recordings: [], alerts: [...outbox(t), ...sagas(t), ...projections(t)] }
}

function outbox(t: Times): Alert[] {
  const by = 'namespace, outbox'
  const labels = { outbox: 'malha' }
  return [
    {
      alert: 'OutboxOld',
      expr: `max by (${by}) (mesh_outbox_oldest_seconds) > ${t.seconds('5m')}`,
      severity: 'page',
      summary: 'Rows of the outbox {{ $labels.outbox }} have waited for five minutes',
      description:
        'No relay works on them, or their stream takes nothing. What was committed is not yet known to anybody.',
      proof: {
        series: { 'mesh_outbox_oldest_seconds{outbox="malha", instance="a"}': '0+60x20 0x60' },
        fires: '15m',
        over: '40m',
        labels,
      },
    },
    {
      alert: 'OutboxDead',
      expr: `max by (${by}) (mesh_outbox_dead_rows) > 0`,
      severity: 'ticket',
      summary: 'The outbox {{ $labels.outbox }} has rows that were refused for good',
      description: 'They stay in the table with the reason beside them. Somebody has to decide what becomes of them.',
      proof: {
        series: { 'mesh_outbox_dead_rows{outbox="malha", instance="a"}': '0x5 2x20 0x60' },
        fires: '15m',
        over: '40m',
        labels,
      },
    },
  ]
}

function sagas(t: Times): Alert[] {
  return [
    {
      alert: 'SagasStuck',
      expr: 'max by (namespace, saga) (mesh_sagas_stuck) > 0',
      for: t('5m'),
      severity: 'ticket',
      summary: 'Sagas of {{ $labels.saga }} do not move, and wait for no time-out',
      description: 'Something they wait for did not come. Look at what became of their last event.',
      proof: {
        series: { 'mesh_sagas_stuck{saga="checkout", instance="a"}': '0x5 1x20 0x60' },
        fires: '15m',
        over: '40m',
        labels: { saga: 'checkout' },
      },
    },
  ]
}

function projections(t: Times): Alert[] {
  const by = 'namespace, projection, version'
  const lag = `min by (${by}) (mesh_projection_lag_messages)`
  const series = 'mesh_projection_lag_messages{projection="orders", version="2", instance="a"}'
  return [
    {
      alert: 'ProjectionHalted',
      expr: lines(
        `min by (${by}) (min_over_time(mesh_projection_lag_messages[${t('10m')}])) > 0`,
        `and ${lag} >= min by (${by}) (mesh_projection_lag_messages offset ${t('10m')})`,
      ),
      for: t('5m'),
      severity: 'ticket',
      summary: 'The projection {{ $labels.projection }} version {{ $labels.version }} takes in nothing',
      description: 'Events lie before it and do not become fewer; readers see what was. Its log says why.',
      proof: {
        series: { [series]: '0x5 5+3x40 0x60' },
        fires: '30m',
        over: '60m',
        labels: { projection: 'orders', version: '2' },
        silent: [{ [series]: '9000-60x60' }],
      },
    },
  ]
}
