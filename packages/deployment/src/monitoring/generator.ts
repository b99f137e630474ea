import type { GeneratedFiles } from '../generate.ts'
import { dashboards } from './dashboards.ts'
import { ruleFile, ruleTestFile } from './rule-files.ts'
import { rules } from './rules.ts'

/** Rules with their tests, and dashboards: the same for every mesh, as they are of metrics that every mesh has. */
export function monitoringFiles(): GeneratedFiles {
  const files: Record<string, string> = {}
  for (const group of rules()) {
    files[`monitoring/rules/${group.name}.yaml`] = ruleFile(group)
    files[`monitoring/rules/${group.name}_test.yaml`] = ruleTestFile(group)
  }
  for (const dashboard of dashboards())
    files[`monitoring/dashboards/${dashboard.uid}.json`] = `${JSON.stringify(dashboard, null, 2)}\n`
  return files
}
