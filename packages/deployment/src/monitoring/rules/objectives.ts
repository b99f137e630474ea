import { lines } from '../expressions.ts'
import type { Alert, Recording, RuleGroup, Severity } from '../rule.ts'
import type { Length, Times } from '../time.ts'

const BY = 'namespace, service'

/** What is promised of every service over 30 days. */
type Objective = {
  name: 'success' | 'freshness'
  /** Share that may miss it. */
  budget: number
  /** Rates of what missed it and of all. */
  missed: (range: string) => string
  all: (range: string) => string
}

/** As `@malha/mesh` has them, for `mesh_message_age_seconds`. */
const AGE_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400]

const WINDOWS: readonly Length[] = ['5m', '30m', '1h', '6h', '3d']

/** Fewer in an hour say nothing: one failure of ten is a tenth of them. */
const LEAST_PER_HOUR = 50

/**
 * Objectives, with alerts on how fast their budget goes: 2 % of it in an hour, 5 % in six, 10 % in three days, each seen in a short
 * window, too, so that they end when it is over (The Site Reliability Workbook, chapter 5).
 */
export function objectiveRules(t: Times): RuleGroup {
  const all = objectives(t)
  return {
    name: 'objectives',
    provedEvery: '10m',
    recordings: [
      ...all.flatMap((one) => WINDOWS.map((window) => ratio(one, window, t))),
      ...all.map((one): Recording => ({ record: `malha:service_${one.name}:budget_ratio`, expr: String(one.budget) })),
    ],
    alerts: all.flatMap((one) => [
      burns(one, t, { speed: 'Fast', severity: 'page' }),
      burns(one, t, { speed: 'Slow', severity: 'ticket' }),
    ]),
  }
}

function objectives(t: Times): Objective[] {
  const sum = (metric: string, range: string): string => `sum by (${BY}) (rate(${metric}[${range}]))`
  const processed = (outcomes: string, range: string): string =>
    sum(`mesh_messages_processed_total{outcome=~"${outcomes}"}`, range)
  const aged = (range: string): string => sum('mesh_message_age_seconds_count', range)
  const inTime = `mesh_message_age_seconds_bucket{${t.le(AGE_BUCKETS, '30s')}}`
  return [
    {
      // A retry is no failure: what counts is what becomes of the message.
      name: 'success',
      budget: 0.001,
      missed: (range) => processed('dead|invalid', range),
      all: (range) => processed('ok|dead|invalid', range),
    },
    { name: 'freshness', budget: 0.01, missed: (range) => `(${aged(range)} - ${sum(inTime, range)})`, all: aged },
  ]
}

const recorded = ({ name }: Objective, window: Length): string => `malha:service_${name}_misses:ratio_rate${window}`

const ratio = (one: Objective, window: Length, t: Times): Recording => ({
  record: recorded(one, window),
  // Where nothing missed it there may be no counter of misses yet.
  expr: lines(`(${one.missed(t(window))} or 0 * ${one.all(t(window))})`, `/ ${one.all(t(window))}`),
})

function burns(one: Objective, t: Times, { speed, severity }: { speed: 'Fast' | 'Slow'; severity: Severity }): Alert {
  const both = (factor: number, long: Length, short: Length): string =>
    `(${recorded(one, long)} > ${share(factor * one.budget)} and ${recorded(one, short)} > ${share(factor * one.budget)})`
  const enough = `and on (${BY}) ${one.all(t('1h'))} * ${t.seconds('1h')} > ${LEAST_PER_HOUR}`
  const when = speed === 'Fast' ? `(${both(14.4, '1h', '5m')} or ${both(6, '6h', '30m')})` : both(1, '3d', '6h')
  const title = one.name === 'success' ? 'Success' : 'Freshness'
  return {
    alert: `${title}BudgetBurns${speed}`,
    expr: lines(when, enough),
    severity,
    summary: `{{ $labels.service }} ${one.name === 'success' ? 'fails for good' : 'is late'} so often that its budget goes ${speed === 'Fast' ? 'within days' : 'too early'}`,
    description:
      one.name === 'success'
        ? 'Of 1000 messages 999 are to be handled in the end, over 30 days. Dead letters use up what is left.'
        : 'Of 100 messages 99 are to be started within 30 seconds, over 30 days. Late ones use up what is left.',
    proof: { ...proofOf(one, speed), labels: { service: 'provider' } },
  }
}

const share = (value: number): string => String(Number(value.toPrecision(6)))

function proofOf({ name }: Objective, speed: 'Fast' | 'Slow'): Omit<Alert['proof'], 'labels'> {
  // A fast one is over soon after the fault; a slow one when six hours without it have passed.
  const [bad, length, over] = speed === 'Fast' ? ([4, 120, '10h'] as const) : ([0.5, 600, '40h'] as const)
  const series =
    name === 'success'
      ? {
          'mesh_messages_processed_total{service="provider", outcome="ok"}': '0+100x2600',
          'mesh_messages_processed_total{service="provider", outcome="dead"}': `0+${bad}x${length} ${bad * length}x2600`,
        }
      : {
          'mesh_message_age_seconds_count{service="provider"}': '0+100x2600',
          'mesh_message_age_seconds_bucket{service="provider", le="30.0"}': `0+${100 - bad * 10}x${length} ${(100 - bad * 10) * length}+100x2600`,
        }
  const quiet = Object.fromEntries(Object.keys(series).map((key) => [key, /dead/.test(key) ? '0x120' : '0+100x120']))
  return { series, fires: speed === 'Fast' ? '110m' : '590m', over, silent: [quiet] }
}
