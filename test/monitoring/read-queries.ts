import { loadMonitoringFiles, rules } from '@malha/deployment'
import { fences, pages } from '../docs/pages.ts'

const { dashboards } = await loadMonitoringFiles()

/** A query and where it stands. */
export type Query = { readonly where: string; readonly expr: string }

export const ruleQueries = (): Query[] =>
  rules().flatMap(({ recordings, alerts }) => [
    ...recordings.map(({ record, expr }) => ({ where: record, expr })),
    ...alerts.map(({ alert, expr }) => ({ where: alert, expr })),
  ])

type Target = { expr: string }
export type BuiltPanel = {
  type: string
  title: string
  description?: string
  datasource?: { uid: string }
  fieldConfig?: { defaults: { unit?: string; links?: { url: string }[] } }
  targets?: Target[]
}

export type ReadDashboard = { uid: string; title: string; panels: BuiltPanel[]; text: string }

/** As Grafana reads them. */
export const readDashboards = (): ReadDashboard[] =>
  dashboards().map((dashboard) => {
    const text = JSON.stringify(dashboard)
    const read = JSON.parse(text) as { uid: string; title: string; panels: (BuiltPanel & { panels?: BuiltPanel[] })[] }
    const panels = read.panels.flatMap((one) => [one, ...(one.panels ?? [])])
    return { uid: read.uid, title: read.title, panels: panels.filter(({ type }) => type !== 'row'), text }
  })

export const dashboardQueries = (): Query[] =>
  readDashboards().flatMap(({ uid, panels }) =>
    panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: `${uid}: ${title}`, expr }))),
  )

/** One a line. */
export const runbookQueries = (): Query[] =>
  pages('docs/runbooks').flatMap(({ path, text }) =>
    fences(text)
      .filter(({ info }) => info === 'promql')
      .flatMap(({ body }) => body.trim().split('\n'))
      .map((expr) => ({ where: path, expr })),
  )
