import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadMonitoringFiles, rules } from '@malha/deployment'
import { freePorts, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { stringify } from 'yaml'

export type PrometheusOptions = {
  bin: string
  /** `host:port` of each `/metrics`, by the name of the job. */
  targets: Readonly<Record<string, readonly string[]>>
  /** Of the rules; scrapes are a second apart at 1/60, and closer below. */
  scale: number
}

/** An alert that fires or is about to. */
export type ActiveAlert = {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

/** A real Prometheus with the rules of the mesh. */
export interface Prometheus extends AsyncDisposable {
  readonly url: string
  active(): Promise<ActiveAlert[]>
  /** Names of the alerts that fire. */
  firing(): Promise<Set<string>>
  /** Every name of a metric it has seen. */
  names(): Promise<Set<string>>
  query(expr: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]>
}

export async function startPrometheus({ bin, targets, scale }: PrometheusOptions): Promise<Prometheus> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-prometheus-'))
  opening.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const [port] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const { ruleFile } = await loadMonitoringFiles()
  for (const group of rules({ scale })) await writeFile(join(folder, `${group.name}.yaml`), ruleFile(group))
  await writeFile(join(folder, 'prometheus.yml'), stringify(configOf(targets, scale)))
  const child = spawnChild({
    command: bin,
    args: [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
      '--log.level=error',
    ],
  })
  opening.defer(async () => void (await child.stop()))
  await eventually(async () => (await fetch(`${url}/-/ready`)).ok)
  const get = async <T>(path: string): Promise<T> => {
    const answer = (await (await fetch(`${url}/api/v1/${path}`)).json()) as { data: T; error?: string }
    if (answer.error !== undefined) throw new Error(`Prometheus: ${answer.error}`)
    return answer.data
  }
  const active = async (): Promise<ActiveAlert[]> => (await get<{ alerts: ActiveAlert[] }>('alerts')).alerts
  const all = opening.move()
  return {
    url,
    active,
    firing: async () =>
      new Set((await active()).flatMap((one) => (one.state === 'firing' ? [one.labels['alertname']!] : []))),
    names: async () => new Set(await get<string[]>('label/__name__/values')),
    query: async (expr) =>
      (
        await get<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
          `query?query=${encodeURIComponent(expr)}`,
        )
      ).result,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

function configOf(targets: PrometheusOptions['targets'], scale: number): object {
  const interval = `${Math.max(200, Math.min(1000, Math.round(60_000 * scale)))}ms`
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ['*.yaml'],
    scrape_configs: Object.entries(targets).map(([job, addresses]) => ({
      job_name: job,
      static_configs: [{ targets: addresses }],
    })),
  }
}
