import { dashboards } from '../monitoring/dashboards.ts'
import { ruleGroups } from '../monitoring/rule-files.ts'
import { rules } from '../monitoring/rules.ts'
import type { KubeObject } from './object.ts'

/** Rules as the Prometheus operator takes them. */
export const prometheusRules = (): KubeObject[] =>
  rules().map((group) => ({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: `malha-${group.name}` },
    spec: ruleGroups(group),
  }))

/** Dashboards as the sidecar of Grafana's chart finds them. */
export const dashboardMaps = (): KubeObject[] =>
  dashboards().map((dashboard) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `dashboard-${dashboard.uid}`, labels: { grafana_dashboard: '1' } },
    data: { [`${dashboard.uid}.json`]: JSON.stringify(dashboard) },
  }))
