import { stringify } from 'yaml'
import type { Alert, Proof, RuleGroup } from './rule.ts'

/** Where runbooks are read, with a `/` at its end, is written in front of their names. */
const RUNBOOKS = 'https://malha.example.com/docs/runbooks/'

type Annotations = { summary: string; description: string; runbook_url: string }

/** Groups as Prometheus, and its operator, read them. */
export function ruleGroups({ name, recordings, alerts }: RuleGroup): { groups: object[] } {
  const rules = [...recordings, ...alerts.map((alert) => alertRule(alert))]
  return { groups: [{ name: `malha-${name}`, rules }] }
}

export const ruleFile = (group: RuleGroup): string => yaml(ruleGroups(group))

/** What promtool runs on it: `promtool test rules`. */
export function ruleTestFile({ name, alerts, provedEvery = '1m' }: RuleGroup): string {
  return yaml({
    rule_files: [`${name}.yaml`],
    evaluation_interval: provedEvery,
    tests: alerts.flatMap((alert) => [
      firesAndEnds(alert),
      ...(alert.proof.silent ?? []).map((set) => isSilent(alert, set)),
    ]),
  })
}

function alertRule(alert: Alert): object {
  const { expr, severity } = alert
  return {
    alert: alert.alert,
    expr,
    ...(alert.for === undefined ? {} : { for: alert.for }),
    labels: { severity },
    annotations: annotations(alert),
  }
}

const annotations = ({ alert, summary, description }: Alert): Annotations => ({
  summary,
  description,
  runbook_url: `${RUNBOOKS}${alert}.md`,
})

function firesAndEnds(alert: Alert): object {
  const { proof, severity } = alert
  const firing = { exp_labels: { severity, ...proof.labels }, exp_annotations: written(annotations(alert), proof) }
  return {
    name: `${alert.alert} fires, and ends`,
    interval: '1m',
    input_series: inputs(proof.series),
    alert_rule_test: [
      { eval_time: proof.fires, alertname: alert.alert, exp_alerts: [firing] },
      { eval_time: proof.over, alertname: alert.alert, exp_alerts: [] },
    ],
  }
}

function isSilent({ alert, proof }: Alert, series: Readonly<Record<string, string>>): object {
  return {
    name: `${alert} is silent`,
    interval: '1m',
    input_series: inputs(series),
    alert_rule_test: [{ eval_time: proof.fires, alertname: alert, exp_alerts: [] }],
  }
}

const inputs = (series: Readonly<Record<string, string>>): object[] =>
  Object.entries(series).map(([name, values]) => ({ series: name, values }))

/** As Prometheus fills in its templates, of which only labels are used here. */
function written(texts: Annotations, { labels }: Proof): object {
  const fill = (text: string): string =>
    text.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? '')
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, fill(text)]))
}

const yaml = (value: object): string => stringify(value, { lineWidth: 0 })
