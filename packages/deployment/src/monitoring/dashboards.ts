import type { Dashboard as BuiltDashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { archive } from './dashboards/archive.ts'
import { buildDashboard } from './dashboards/dashboard.ts'
import { handler } from './dashboards/handler.ts'
import { jetstream } from './dashboards/jetstream.ts'
import { node } from './dashboards/node.ts'
import { overview } from './dashboards/overview.ts'

/** Dashboards as Grafana reads them. */
export const dashboards = (): BuiltDashboard[] =>
  [overview, handler, jetstream, archive, node].map((dashboard) => buildDashboard(dashboard))
