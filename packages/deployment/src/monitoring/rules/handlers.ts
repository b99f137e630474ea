import { grew, HANDLER, lines, OLD_PROCESS } from '../expressions.ts'
import type { Alert, Recording, RuleGroup } from '../rule.ts'
import type { Times } from '../time.ts'

const OF = '{service="provider", handler="senninha", instance="a"}'
const labels = { service: 'provider', handler: 'senninha' }
const of = (metric: string, more = ''): string => `${metric}${OF.replace('}', `${more}}`)}`
const IT = '{{ $labels.service }}/{{ $labels.handler }}'

/** Handlers: whether they keep up, fail, lose, or hold something. */
export function handlerRules(t: Times): RuleGroup {
  return { name: 'handlers', recordings: recordings(t), alerts: [...flow(t), ...failure(t), ...held(t)] }
}

function recordings(t: Times): Recording[] {
  const rate = (metric: string, by: string): string => `sum by (${by}) (rate(${metric}[${t('5m')}]))`
  // Every instance says the same of a durable; of ordered handlers each says it of its own partitions.
  const most = (metric: string): string => `max by (${HANDLER}) (${metric})`
  return [
    { record: 'malha:handler_deliveries:rate5m', expr: rate('mesh_messages_processed_total', `${HANDLER}, outcome`) },
    { record: 'malha:handler_pending:max', expr: most('mesh_consumer_pending') },
    { record: 'malha:handler_ack_pending:max', expr: most('mesh_consumer_ack_pending') },
    { record: 'malha:handler_oldest_seconds:max', expr: most('mesh_consumer_oldest_seconds') },
    {
      record: 'malha:handler_duration_seconds:p95_5m',
      expr: `histogram_quantile(0.95, ${rate('messaging_process_duration_seconds_bucket', `${HANDLER}, le`)})`,
    },
    // Neither paused nor waiting for a partner: if such a one does not work, something is wrong.
    {
      record: 'malha:handler_free:bool',
      expr: `max by (${HANDLER}) (mesh_breaker_state) == bool 0 and max by (${HANDLER}) (mesh_handler_paused) == 0`,
    },
  ]
}

const free = { [of('mesh_breaker_state')]: '0x300', [of('mesh_handler_paused')]: '0x300' }
const IS_FREE = `and on (${HANDLER}) malha:handler_free:bool == 1`

function flow(t: Times): Alert[] {
  return [
    {
      alert: 'HandlerStalled',
      expr: lines(
        '(malha:handler_pending:max + malha:handler_ack_pending:max) > 0',
        IS_FREE,
        `unless on (${HANDLER}) sum by (${HANDLER}) (rate(mesh_messages_processed_total[${t('5m')}])) > 0`,
      ),
      for: t('5m'),
      severity: 'page',
      summary: `${IT} has events before it and finishes none`,
      description:
        'Neither paused nor waiting for a partner, and yet no delivery has ended. Events age while it stands.',
      proof: {
        series: {
          ...free,
          [of('mesh_consumer_pending')]: '10x200',
          [of('mesh_consumer_ack_pending')]: '2x200',
          [of('mesh_messages_processed_total', ', outcome="ok"')]: '0+60x20 1200x40 1200+60x100',
        },
        fires: '40m',
        over: '80m',
        labels,
        silent: [
          {
            ...free,
            [of('mesh_handler_paused')]: '1x300',
            [of('mesh_consumer_pending')]: '10x200',
            [of('mesh_consumer_ack_pending')]: '2x200',
          },
        ],
      },
    },
    {
      alert: 'HandlerLagging',
      expr: lines(`malha:handler_oldest_seconds:max > ${t.seconds('5m')}`, IS_FREE),
      for: t('5m'),
      severity: 'ticket',
      summary: `${IT} is more than five minutes behind`,
      description:
        'The oldest event it has not settled is older than five minutes, and it waits for nobody: it is too slow.',
      proof: {
        series: { ...free, [of('mesh_consumer_oldest_seconds')]: '10x5 400x40 10x60' },
        fires: '30m',
        over: '60m',
        labels,
        silent: [{ ...free, [of('mesh_breaker_state')]: '2x300', [of('mesh_consumer_oldest_seconds')]: '400x100' }],
      },
    },
    {
      alert: 'HandlerLagGrowing',
      expr: lines(`(malha:handler_pending:max > 1000 and deriv(malha:handler_pending:max[${t('15m')}]) > 0)`, IS_FREE),
      for: t('15m'),
      severity: 'ticket',
      summary: `${IT} falls behind: more than 1000 events wait, and they become more`,
      description:
        'Events come faster than it works them off. Give it more instances or more concurrency, or find what is slow.',
      proof: {
        series: { ...free, [of('mesh_consumer_pending')]: '0+200x60 12000-400x30 0x60' },
        fires: '50m',
        over: '90m',
        labels,
        silent: [{ ...free, [of('mesh_consumer_pending')]: '50000-100x100' }],
      },
    },
    {
      alert: 'HandlerSaturated',
      expr: lines(
        `sum by (${HANDLER}) (mesh_inflight) / sum by (${HANDLER}) (mesh_concurrency) > 0.9`,
        `and on (${HANDLER}) malha:handler_pending:max > 0`,
      ),
      for: t('15m'),
      severity: 'ticket',
      summary: `${IT} has all its slots taken, and events wait`,
      description:
        'Every instance handles as many at once as it may. More instances, more concurrency, or a faster partner.',
      proof: {
        series: {
          [of('mesh_inflight')]: '16x40 2x60',
          [of('mesh_concurrency')]: '16x100',
          [of('mesh_consumer_pending')]: '9x100',
        },
        fires: '30m',
        over: '60m',
        labels,
        silent: [
          {
            [of('mesh_inflight')]: '16x100',
            [of('mesh_concurrency')]: '16x100',
            [of('mesh_consumer_pending')]: '0x100',
          },
        ],
      },
    },
  ]
}

function failure(t: Times): Alert[] {
  const processed = (outcome: string): string =>
    `sum by (${HANDLER}) (rate(mesh_messages_processed_total${outcome}[${t('5m')}]))`
  return [
    {
      alert: 'HandlerRetryStorm',
      expr: lines(`(${processed('{outcome="retry"}')} / ${processed('')} > 0.5 and ${processed('')} > 0.1)`, IS_FREE),
      for: t('10m'),
      severity: 'ticket',
      summary: `More than half of the attempts of ${IT} fail and are tried again`,
      description:
        'Its breaker is closed, so the failures are spread: one kind of event, one key, or a partner that often fails.',
      proof: {
        series: {
          ...free,
          [of('mesh_messages_processed_total', ', outcome="retry"')]: '0+60x60 3660x60',
          [of('mesh_messages_processed_total', ', outcome="ok"')]: '0+20x120',
        },
        fires: '40m',
        over: '90m',
        labels,
        silent: [
          {
            ...free,
            [of('mesh_messages_processed_total', ', outcome="retry"')]: '0+20x120',
            [of('mesh_messages_processed_total', ', outcome="ok"')]: '0+60x120',
          },
        ],
      },
    },
    {
      alert: 'DeadLettersArriving',
      expr: grew('mesh_dead_letters_total', HANDLER, { t, within: '5m' }),
      severity: 'ticket',
      summary: `${IT} has written dead letters`,
      description:
        'Events it will not try again by itself. They are kept whole; somebody has to decide what becomes of them.',
      proof: {
        series: { ...OLD_PROCESS, [of('mesh_dead_letters_total', ', code="HTTP_422"')]: '_x10 1x60' },
        fires: '13m',
        over: '30m',
        labels,
        silent: [{ ...OLD_PROCESS, [of('mesh_dead_letters_total', ', code="HTTP_422"')]: '7x60' }],
      },
    },
    {
      alert: 'EventsExpired',
      expr: grew('mesh_expired_messages_total', HANDLER, { t, within: '1h' }),
      severity: 'page',
      summary: `Events have left their stream before ${IT} was past them`,
      description:
        'They are named in a dead letter, as a range; the archive has what it took in. Send them again from there.',
      proof: {
        series: { ...OLD_PROCESS, [of('mesh_expired_messages_total')]: '_x70 40x200' },
        fires: '90m',
        over: '160m',
        labels,
        silent: [{ ...OLD_PROCESS, [of('mesh_expired_messages_total')]: '7x200' }],
      },
    },
    {
      alert: 'EventsAboutToExpire',
      expr: lines(
        `max by (${HANDLER}) (`,
        '  mesh_consumer_oldest_seconds / (mesh_consumer_oldest_seconds + mesh_consumer_expires_in_seconds)',
        ') > 0.8',
      ),
      for: t('5m'),
      severity: 'page',
      summary: `Events before ${IT} are about to leave their stream`,
      description:
        'Four fifths of the time the stream keeps them have passed for the oldest. Have it go on, or keep them longer.',
      proof: {
        series: {
          [of('mesh_consumer_oldest_seconds')]: '90x30 0x60',
          [of('mesh_consumer_expires_in_seconds')]: '10x30 100x60',
        },
        fires: '20m',
        over: '50m',
        labels,
        silent: [{ [of('mesh_consumer_oldest_seconds')]: '90x60', [of('mesh_consumer_expires_in_seconds')]: '1e9x60' }],
      },
    },
    {
      alert: 'BreakerOpenLong',
      // Half open is not closed: it flips between the two while the partner is away.
      expr: `max by (${HANDLER}) (mesh_breaker_state) > 0`,
      for: t('15m'),
      severity: 'ticket',
      summary: `${IT} has waited for its partner for a quarter of an hour`,
      description:
        'Its breaker is open: nothing is lost and no attempt is wasted, but nothing is done either. Ask the partner.',
      proof: {
        series: { [of('mesh_breaker_state')]: '2x10 1 2x20 0x60' },
        fires: '25m',
        over: '60m',
        labels,
        silent: [{ [of('mesh_breaker_state')]: '2x10 0x2 2x10 0x60' }],
      },
    },
  ]
}

function held(t: Times): Alert[] {
  return [
    {
      alert: 'HandlerPausedLong',
      expr: `max by (${HANDLER}) (mesh_handler_paused) == 1`,
      for: t('1h'),
      severity: 'ticket',
      summary: `${IT} has been paused for an hour`,
      description:
        'Somebody paused it, and said why. Its events wait, and age. Resume it, or make sure that it is still meant.',
      proof: { series: { [of('mesh_handler_paused')]: '1x80 0x60' }, fires: '70m', over: '100m', labels },
    },
    {
      alert: 'KeysHeldLong',
      expr: `sum by (${HANDLER}) (mesh_keys_held) > 0`,
      for: t('30m'),
      severity: 'ticket',
      summary: `Keys of ${IT} have waited for a retry for half an hour`,
      description:
        'An event of such a key fails again and again, and those behind it wait, in order. Other keys go on.',
      proof: { series: { [of('mesh_keys_held')]: '2x40 0x60' }, fires: '35m', over: '60m', labels },
    },
    {
      alert: 'KeysBehindLetters',
      expr: `sum by (${HANDLER}) (mesh_keys_behind_letters) > 0`,
      for: t('15m'),
      severity: 'ticket',
      summary: `Dead letters hold keys of ${IT}`,
      description: 'Events of these keys wait until somebody has sent the letter again or discarded it.',
      proof: { series: { [of('mesh_keys_behind_letters')]: '1x30 0x60' }, fires: '20m', over: '60m', labels },
    },
    {
      alert: 'HandlerCallsLeaked',
      expr: `sum by (${HANDLER}) (mesh_leaked_slots) > 0`,
      severity: 'ticket',
      summary: `Calls of ${IT} never returned`,
      description:
        'The handler ignores its signal. Each call holds a slot until the process ends; at half of them it ends itself.',
      proof: { series: { [of('mesh_leaked_slots')]: '0x10 1x20 0x60' }, fires: '20m', over: '60m', labels },
    },
  ]
}
