import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { root } from '../docs/pages.ts'

type LookedUp = { chart: string; version: string; keys: string[] }

const folder = join(root, 'deploy/helm-values')
const lookedUp = JSON.parse(readFileSync(join(folder, 'keys.json'), 'utf8')) as Record<string, LookedUp>
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))

/** What is for kind only lies over the values of the same chart. */
const chartOf = (file: string): LookedUp => lookedUp[file.replace('-dev', '')]!

/** Keys of values, down to where the chart takes anything. */
function keysOf(values: unknown, known: readonly string[], path = ''): string[] {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return [path]
  if (path !== '' && known.includes(`${path}.*`)) return [`${path}.*`]
  return Object.entries(values).flatMap(([key, value]) => keysOf(value, known, path === '' ? key : `${path}.${key}`))
}

const unknown = (values: unknown, { keys }: LookedUp): string[] =>
  keysOf(values, keys).filter((key) => !keys.includes(key))

test.each(files)('%s sets only what the chart takes', (file) => {
  expect(unknown(parse(readFileSync(join(folder, file), 'utf8')), chartOf(file))).toEqual([])
})

test('a key that was misspelled is found', () => {
  const values = { config: { jetstream: { enable: true, merge: { sync_interval: 'always' } } } }
  expect(unknown(values, lookedUp['nats.yaml']!)).toEqual(['config.jetstream.enable'])
})

test('every chart is installed in the version that was looked up, and no key is noted that nobody sets', () => {
  for (const [file, { chart, version, keys }] of Object.entries(lookedUp)) {
    const command = readFileSync(join(folder, file), 'utf8').split('\n').slice(0, 2).join(' ')
    expect(command).toContain(` ${chart} --repo `)
    expect(command).toContain(`--version ${version} `)
    const set = files
      .filter((one) => chartOf(one) === lookedUp[file])
      .flatMap((one) => keysOf(parse(readFileSync(join(folder, one), 'utf8')), keys))
    expect(keys.filter((key) => !set.includes(key))).toEqual([])
  }
})

test('the guide installs the same versions', () => {
  const guide = readFileSync(join(root, 'deploy/README.md'), 'utf8')
  for (const { chart, version } of Object.values(lookedUp))
    for (const [, named] of guide.matchAll(new RegExp(` ${chart} --repo \\S+[\\s\\\\]+--version (\\S+)`, 'g')))
      expect(named).toBe(version)
})
