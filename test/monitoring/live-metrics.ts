import { EXPORTER_METRICS, PROMETHEUS_METRICS } from './foreign-metrics.ts'
import { metricsOf } from './promql.ts'
import { dashboardQueries, ruleQueries } from './read-queries.ts'

/** Every name on these `/metrics`, a histogram's three among them, also of metrics that have no series yet. */
export async function liveMetrics(targets: readonly string[]): Promise<Set<string>> {
  const pages = await Promise.all(targets.map(async (target) => await (await fetch(`http://${target}/metrics`)).text()))
  return new Set(
    pages.flatMap((page) =>
      [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, kind]) =>
        kind === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name!],
      ),
    ),
  )
}

/** What rules and dashboards read of processes of the mesh; brokers are read too where there is an exporter. */
export function metricsRead({ brokers }: { brokers: boolean }): string[] {
  const names = [...ruleQueries(), ...dashboardQueries()].flatMap(({ expr }) => metricsOf(expr))
  const foreign = new Set([...PROMETHEUS_METRICS, ...(brokers ? [] : EXPORTER_METRICS)])
  return [...new Set(names)].filter((name) => !foreign.has(name) && !name.startsWith('malha:')).toSorted()
}
