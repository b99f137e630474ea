import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  type DashboardLink,
  DashboardLinkBuilder,
  type Panel as BuiltPanel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap'
import { type Dataquery, DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import * as stat from '@grafana/grafana-foundation-sdk/stat'
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries'

/** A panel as declared data. */
export type Panel = {
  readonly title: string
  /** What is good and what is bad, in a sentence. */
  readonly description: string
  /** Of Grafana: `s`, `bytes`, `short`, `percentunit`, `ops`. */
  readonly unit: string
  /** @default a line in time */
  readonly as?: 'stat' | 'heatmap'
  /** PromQL by what each line is called. */
  readonly queries: Readonly<Record<string, string>>
  /** Dots that lead to traces, where the metric has exemplars. */
  readonly exemplars?: true
  /** What a click on a line leads to. */
  readonly leadsTo?: { readonly title: string; readonly url: string }
}

/** Which Prometheus is read is chosen on the dashboard. */
export const SOURCE: { type: string; uid: string } = { type: 'prometheus', uid: '${datasource}' }

const BUILDERS = { stat: stat.PanelBuilder, heatmap: heatmap.PanelBuilder }

export function build(panel: Panel): Builder<BuiltPanel> {
  const builder = panel.as ? new BUILDERS[panel.as]() : new timeseries.PanelBuilder()
  const isStat = panel.as === 'stat'
  builder.title(panel.title).description(panel.description).datasource(SOURCE).unit(panel.unit)
  builder.span(isStat ? 4 : 12).height(isStat ? 4 : 8)
  builder.targets(Object.entries(panel.queries).map(([legend, expr], at) => query(panel, { legend, expr, at })))
  if (panel.leadsTo) builder.dataLinks([link(panel.leadsTo)])
  return builder
}

function query(panel: Panel, { legend, expr, at }: { legend: string; expr: string; at: number }): Builder<Dataquery> {
  const made = new DataqueryBuilder().datasource(SOURCE).expr(expr).legendFormat(legend)
  made.refId(String.fromCodePoint(65 + at)).exemplar(panel.exemplars ?? false)
  if (panel.as === 'heatmap') made.format(PromQueryFormat.Heatmap)
  return panel.as === 'stat' ? made.instant() : made.range()
}

export const link = ({ title, url }: { title: string; url: string }): Builder<DashboardLink> =>
  new DashboardLinkBuilder(title).url(url).targetBlank(true)
