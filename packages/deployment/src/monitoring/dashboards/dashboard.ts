import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  type Dashboard as BuiltDashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  type VariableModel,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { build, type Panel, SOURCE } from './panel.ts'

/** A choice at the top: the values a label has, of the metrics that a selector takes. */
export type Choice = { readonly name: string; readonly label: string; readonly values: string; readonly one?: true }

export type Dashboard = {
  /** Fixed, so that links to it hold; also the name of its file. */
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly choices: readonly Choice[]
  readonly rows: Readonly<Record<string, readonly Panel[]>>
}

/** What is built with is deprecated for a format that Grafana before 12 cannot read. */
export function buildDashboard({ uid, title, description, choices, rows }: Dashboard): BuiltDashboard {
  const builder = new DashboardBuilder(`Malha: ${title}`).uid(uid).description(description).tags(['malha'])
  builder.time({ from: 'now-1h', to: 'now' }).refresh('30s').timezone('browser').readonly()
  builder.tooltip(DashboardCursorSync.Crosshair)
  builder.variables([
    new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    ...choices.map((choice) => chosen(choice)),
    new TextBoxVariableBuilder('jaeger').label('Jaeger').defaultValue('http://localhost:16686'),
    new TextBoxVariableBuilder('console').label('Console').defaultValue('http://localhost:8090'),
  ])
  builder.links([
    new DashboardLinkBuilder('Malha')
      .type(DashboardLinkType.Dashboards)
      .tags(['malha'])
      .keepTime(true)
      .includeVars(true),
    new DashboardLinkBuilder('Jaeger').type(DashboardLinkType.Link).url('${jaeger}').targetBlank(true),
    new DashboardLinkBuilder('Console').type(DashboardLinkType.Link).url('${console}').targetBlank(true),
  ])
  for (const [name, panels] of Object.entries(rows)) {
    builder.withRow(new RowBuilder(name))
    for (const panel of panels) builder.withPanel(build(panel))
  }
  return builder.build()
}

function chosen({ name, label, values, one }: Choice): Builder<VariableModel> {
  const builder = new QueryVariableBuilder(name).label(label).datasource(SOURCE).query(values)
  builder.refresh(VariableRefresh.OnTimeRangeChanged)
  return one ? builder.multi(false) : builder.multi(true).includeAll(true).allValue('.*')
}
