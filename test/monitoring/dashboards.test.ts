import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../docs/pages.ts'
import { readDashboards } from './read-queries.ts'

const all = readDashboards()

test('there are five dashboards with uids of their own, which nothing changes', () => {
  expect(all.map(({ uid }) => uid)).toEqual([
    'malha-overview',
    'malha-handler',
    'malha-jetstream',
    'malha-archive',
    'malha-node',
  ])
})

test.each(all.map((one) => [one.uid, one] as const))(
  'every panel of %s says what it shows, in a unit, of a data source that is chosen',
  (_, { panels, text }) => {
    expect(panels.length).toBeGreaterThan(5)
    for (const { description, datasource, fieldConfig, targets = [] } of panels) {
      expect(description).toMatch(/\.$/)
      expect(fieldConfig?.defaults.unit).toBeTruthy()
      expect(datasource?.uid).toBe('${datasource}')
      expect(targets.length).toBeGreaterThan(0)
    }
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
    expect(text).toContain('"name":"datasource"')
  },
)

test('the overview leads to a handler, and a handler to Jaeger, by its exemplars too, and to the console', () => {
  const [overview, handler] = all
  expect(overview!.text).toContain('/d/malha-handler?var-service=')
  expect(handler!.text).toContain('"exemplar":true')
  expect(handler!.text).toContain('${jaeger}/search?service=${service}')
  expect(handler!.text).toContain('${console}/handlers/${service}/${handler}')
})

test('the files in deploy are JSON that Grafana can be given', () => {
  for (const { uid, title } of all) {
    const text = readFileSync(join(root, `deploy/generated/monitoring/dashboards/${uid}.json`), 'utf8')
    expect(JSON.parse(text)).toMatchObject({ uid, title, '//': expect.stringContaining('malha deploy generate') })
  }
})
