import { globSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readText, root } from './pages.ts'

/** Without the rules, which read metrics and make none. */
const sources = globSync('packages/**/src/**/*.ts', {
  cwd: root,
  exclude: ['**/node_modules/**', '**/dist/**', 'packages/deployment/src/monitoring/**'],
})
  .map((path) => readText(path))
  .join('\n')

const unique = (names: Iterable<string>): string[] => [...new Set(names)].sort()
const all = (text: string, pattern: RegExp): string[] => unique([...text.matchAll(pattern)].map((match) => match[1]!))
const firstColumn = (page: string, pattern: RegExp): string[] =>
  unique(
    all(page, /^\| (`[^|]+`) *\|/gm)
      .flatMap((cell) => all(cell, /`([^`]+)`/g))
      .filter((name) => pattern.test(name)),
  )

test('every metric of the sources is on the metrics page, and every one of the page is in the sources', () => {
  const page = readText('docs/reference/metrics.md')
  const made = all(sources, /(?<![\w'`])'((?:mesh|messaging|http)_[a-z_]+_?[a-z]+)'/g).filter((name) =>
    /^(mesh_|messaging_(client|process)_.*_(seconds|total)$|http_server_.*_seconds$)/.test(name),
  )
  expect(made.length).toBeGreaterThan(15)
  expect(made.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  expect(firstColumn(page, /^(mesh|messaging)_/).filter((name) => !made.includes(name))).toEqual([])
})

test('every variable the sources read is on the configuration page, and every one of the page is read', () => {
  const page = readText('docs/reference/configuration.md')
  const notOurs = new Set(['HOME', 'XDG_CACHE_HOME', 'PATH'])
  const byIndex = all(sources, /\benv\[?\.?\[?'([A-Z][A-Z0-9_]+)'\]/g)
  const byTable = all(sources, /^ {2}'?[\w.]+'?: '((?:NATS|MALHA)_[A-Z_]+)',$/gm)
  const read = unique([...byIndex, ...byTable]).filter((name) => !notOurs.has(name))
  expect(read.length).toBeGreaterThan(20)
  expect(read.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  const listed = firstColumn(page, /^[A-Z][A-Z0-9_]+$/)
  expect(listed.filter((name) => !sources.includes(name) && !sources.includes(name.replace(/_URL$/, '')))).toEqual([])
})
