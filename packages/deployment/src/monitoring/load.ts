import type { dashboards } from './dashboards.ts'
import type { ruleFile } from './rule-files.ts'

/** What is written for Grafana and Prometheus. */
export type MonitoringFiles = { readonly dashboards: typeof dashboards; readonly ruleFile: typeof ruleFile }

/** Loads hundreds of modules, which nobody needs who does not write these files. */
export async function loadMonitoringFiles(): Promise<MonitoringFiles> {
  const [{ dashboards }, { ruleFile }] = await Promise.all([import('./dashboards.ts'), import('./rule-files.ts')])
  return { dashboards, ruleFile }
}
