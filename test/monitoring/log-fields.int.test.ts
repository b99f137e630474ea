import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { fences, readText, root } from '../docs/pages.ts'

const PAGE = readText('docs/how-to/collect-logs.md')

/** Fields of the table that are in lines of one kind: `every line`, `lines inside a trace`. */
const fieldsIn = (kind: string): string[] =>
  [...PAGE.matchAll(/^\| (`[^|]+) \| ([^|]+?) *\|/gm)]
    .filter(([, , where]) => where!.startsWith(kind))
    .flatMap(([, names]) => [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name!))

/** What a real process with traces writes. */
async function linesOf(): Promise<Record<string, unknown>[]> {
  const script = join(root, 'packages/telemetry/test/service-process.ts')
  // What is not sampled has its ids all the same, and nothing is sent.
  const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_SAMPLER: 'always_off' }
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('a line has the fields that the page on logs lists, as it says', async () => {
  const lines = await linesOf()
  const always = fieldsIn('every line')
  expect(always).toEqual(['time', 'level', 'name', 'pid', 'msg', 'version'])
  for (const line of lines) expect(Object.keys(line)).toEqual(expect.arrayContaining(always))
  expect(lines[0]!['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(lines[0]!['level']).toBe('info')
  const inTrace = lines.filter((line) => fieldsIn('lines inside a trace').every((field) => field in line))
  expect(inTrace.map(({ msg }) => msg)).toContain('inside a span')
  expect(inTrace[0]!['trace_id']).toMatch(/^[\da-f]{32}$/)
  expect(inTrace[0]!['span_id']).toMatch(/^[\da-f]{16}$/)
  const { err } = lines.find((line) => 'err' in line) as { err: object }
  expect(Object.keys(err)).toEqual(expect.arrayContaining(['type', 'message', 'stack']))
})

test('the pipelines on the page are YAML, and read fields that lines have', () => {
  const known = new Set([...fieldsIn('every'), ...fieldsIn('lines')])
  const blocks = fences(PAGE).filter(({ info }) => info === 'yaml')
  expect(blocks).toHaveLength(3)
  for (const { body } of blocks) expect(() => parse(body) as unknown).not.toThrow()
  const filebeat = parse(blocks.at(-1)!.body) as { processors: { rename?: { fields: { from: string }[] } }[] }
  const renamed = filebeat.processors.flatMap(({ rename }) => rename?.fields.map(({ from }) => from) ?? [])
  expect(renamed.length).toBeGreaterThan(8)
  expect(renamed.filter((name) => !known.has(name.split('.')[1]!))).toEqual([])
  const [, alloy] = /expressions = \{ ([^}]+) \}/.exec(PAGE)!
  expect([...alloy!.matchAll(/(\w+) =/g)].map(([, name]) => name!).filter((name) => !known.has(name))).toEqual([])
})
