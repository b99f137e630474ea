import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { loadMonitoringFiles, rules } from '@malha/deployment'
import { stringify } from 'yaml'
import { describe, expect, test } from 'vitest'
import { root } from '../docs/pages.ts'
import { findTool } from './binaries.ts'
import { dashboardQueries, runbookQueries } from './read-queries.ts'

const tool = findTool('promtool')
const FOLDER = join(root, 'deploy/generated/monitoring/rules')
const files = rules().map(({ name }) => name)

const promtool = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await promisify(execFile)(tool!, args).catch((error: unknown) => {
    const { stdout: out, stderr: err } = error as { stdout: string; stderr: string }
    throw new Error(`${out}${err}`, { cause: error })
  })
  return stdout + stderr
}

describe.skipIf(tool === undefined)('promtool', () => {
  test('takes every rule', async () => {
    const said = await promtool('check', 'rules', ...files.map((name) => join(FOLDER, `${name}.yaml`)))
    expect(said.match(/SUCCESS/g)).toHaveLength(files.length)
  })

  test('sees every alert fire, end, and stay silent where it must', async () => {
    const said = await promtool('test', 'rules', ...files.map((name) => join(FOLDER, `${name}_test.yaml`)))
    expect(said).not.toContain('FAILED')
  })

  test('takes the rules at a sixtieth of their times, and every query of runbooks and dashboards', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'malha-promtool-'))
    try {
      const queries = [...runbookQueries(), ...dashboardQueries()].map(({ expr }, at) => ({ record: `q:${at}`, expr }))
      await writeFile(join(folder, 'queries.yaml'), stringify({ groups: [{ name: 'queries', rules: queries }] }))
      const { ruleFile } = await loadMonitoringFiles()
      for (const group of rules({ scale: 1 / 60 })) await writeFile(join(folder, `${group.name}.yaml`), ruleFile(group))
      const said = await promtool(
        'check',
        'rules',
        ...['queries', ...files].map((name) => join(folder, `${name}.yaml`)),
      )
      expect(said.match(/SUCCESS/g)).toHaveLength(files.length + 1)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
