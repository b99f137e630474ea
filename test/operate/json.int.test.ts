/** In this process, so that some forty commands take seconds. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, queryArchiveSql } from '@malha/archive'
import { deployment } from '@malha/deploy'
import { defineService, type Mesh, on, Reject } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { startClickHouse } from '@malha/stack'
import { eventually, testServer } from '@malha/testing'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createProgram } from '../../packages/cli/src/program.ts'
import { stdoutOf } from './stdout-of.ts'
import { type DeployedServer, deployedServer } from '../deploy/deployed-server.ts'
import { deploymentUsers } from '../deploy/users.ts'
import { placed } from './contracts.ts'

/** They start processes, or need three servers, and their JSON has tests of its own. */
const ELSEWHERE = ['up', 'demo', 'bench', 'chaos', 'chaos check', 'console', 'test', 'hand-over']

/** `empty`: a server of the reference mesh that has nothing yet. */
type Place = {
  mesh: Mesh
  operator: Mesh
  server: DeployedServer
  empty: { url: string; as(user: string): Record<string, string> }
  clickhouse: string
  folder: string
}

/** Who does what; whoever only looks is `viewer`. */
const USERS: Readonly<Record<string, readonly string[]>> = {
  operator: [
    'handlers pause',
    'handlers set',
    'handlers resume',
    'dlq discard',
    'dlq reopen',
    'dlq edit',
    'dlq redrive',
    'replay',
    'runs pause',
    'runs resume',
    'runs work',
    'runs cancel',
  ],
  provision: ['provision'],
  // What no other may: publish events of any service, read and bring back streams whole.
  admin: ['publish', 'backup', 'restore', 'rebuild'],
}
const userOf = (command: string): string =>
  Object.entries(USERS).find(([, commands]) => commands.includes(command))?.[0] ?? 'viewer'

/** Each command with what it is called with; what a text names in braces an earlier one printed, or is of the place. */
const CALLS: readonly (readonly [command: string, ...args: string[]])[] = [
  ['streams'],
  ['handlers list'],
  ['handlers show', 'shop/bill'],
  ['handlers pause', 'shop/bill', '--reason', 'a test'],
  ['handlers set', 'shop/bill', '--concurrency', '4'],
  ['handlers resume', 'shop/bill'],
  ['dlq list'],
  ['dlq show', '1'],
  ['dlq discard', '1', '--reason', 'a test'],
  ['dlq reopen', '1', '--reason', 'a test'],
  ['dlq edit', '1', '--payload-file', '{first}', '--no-redrive', '--reason', 'a test'],
  ['dlq edit', '2', '--payload-file', '{second}', '--reason', 'a test'],
  ['dlq redrive', '--all', '--dry-run'],
  ['dlq redrive', '--letter', '3'],
  ['replay', '--service', 'shop', '--handler', 'bill', '--dry-run'],
  ['replay', '--service', 'shop', '--handler', 'bill'],
  ['runs list'],
  ['runs show', '{run}'],
  ['runs pause', '{run}'],
  ['runs resume', '{run}'],
  ['runs work', '{run}'],
  ['runs cancel', '{other}'],
  ['audit list'],
  ['tail', '--count', '1'],
  ['journey', 'o-1'],
  ['why', 'o-1'],
  ['publish', 'order.placed', '--data', '{"n":9}', '--dry-run'],
  ['publish', 'order.placed', '--data', '{"n":9}'],
  ['contracts list'],
  ['contracts check', '--contracts', '@malha/contracts', '--against', 'mesh'],
  ['contracts snapshot', '--contracts', '@malha/contracts'],
  ['describe'],
  ['doctor', '--wait', '0.1', '--clickhouse', '{clickhouse}'],
  ['context list'],
  ['archive audit', '--clickhouse', '{clickhouse}', '--wait', '20'],
  ['archive query', '--clickhouse', '{clickhouse}'],
  ['archive query', '--clickhouse', '{clickhouse}', '--id', 'no such event'],
  ['archive query', '--clickhouse', '{clickhouse}', 'SELECT 1 AS one'],
  ['deploy generate', '--check'],
  ['capacity', '--events-per-second', '50', '--bytes', '2KiB', '--retention', '7d'],
  ['backup', '{backup}'],
  ['restore', '{backup}', '--dry-run', '--server', '{empty}'],
  ['rebuild', '--dry-run', '--clickhouse', '{clickhouse}', '--server', '{empty}'],
  ['provision', '--server', '{empty}'],
]

it(
  'every command that has --json writes one JSON value to stdout, and nothing else',
  { timeout: 120_000 },
  async () => {
    const place = await aMeshWithAll()
    const { mesh, folder } = place
    using operations = await openOperations(place.operator)
    await operations.letters.refresh()
    const [run, other] = await Promise.all(
      [1, 2].map((letter) => operations.runs.redrive({ who: 'ana', filter: { letters: [letter] } })),
    )
    const known = {
      first: join(folder, 'first.json'),
      second: join(folder, 'second.json'),
      run: run!.id,
      other: other!.id,
      clickhouse: place.clickhouse,
      backup: join(folder, 'backup'),
      empty: place.empty.url,
    }
    for (const [n, file] of [known.first, known.second].entries()) await writeFile(file, `{"n":${n + 1},"by":"hand"}`)
    // Other tests may share this process.
    onTestFinished(() => void vi.unstubAllEnvs())
    vi.stubEnv('MALHA_CACHE', folder)
    const publishing = setInterval(() => void mesh.publish(placed, { n: 8 }), 200)
    onTestFinished(() => clearInterval(publishing))

    const become = (user: Readonly<Record<string, string>>): void => {
      for (const [name, value] of Object.entries(user)) vi.stubEnv(name, value)
    }
    for (const [command, ...args] of CALLS) {
      const given = args.map((arg) => arg.replace(/\{(\w+)\}/, (_, name: keyof typeof known) => known[name]))
      become((args.includes('{empty}') ? place.empty : place.server).as(userOf(command)))
      const out = await stdoutOf([...command.split(' '), ...given, '--json'])
      expect(
        () => JSON.parse(out),
        `malha ${command} ${args.join(' ')} --json wrote ${out.slice(0, 500)}`,
      ).not.toThrow()
    }
    const called = new Set([...CALLS.map(([command]) => command), ...ELSEWHERE])
    expect((await commandsWithJson()).filter((name) => !called.has(name))).toEqual([])

    for (const user of ['operator', 'archive']) {
      become(place.server.as(user))
      const audited = await stdoutOf(['archive', 'audit', '--clickhouse', known.clickhouse, '--wait', '20', '--json'])
      expect(JSON.parse(audited)).toMatchObject({ clean: true, totals: { missing: 0 } })
    }
    become(place.server.as('viewer'))
    const at = ['archive', 'query', '--clickhouse', known.clickhouse]
    const whole = JSON.parse(await stdoutOf([...at, '--limit', '3', '--json'])) as { events: { id: string }[] }
    const lines = (await stdoutOf([...at, '--limit', '3', '--ndjson'])).trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toHaveLength(3)
    expect(whole.events).toHaveLength(3)
    expect(JSON.parse(await stdoutOf([...at, 'SELECT 1 AS one', '--json']))).toEqual({ rows: [{ one: 1 }] })
  },
)

/** A shop that gave up three orders, with an archive. It ends with the test. */
async function aMeshWithAll(): Promise<Place> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-json-'))
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const { CLICKHOUSE_URL: _, ...env } = process.env
  const clickhouse = await startClickHouse({ dataDir: join(folder, 'clickhouse'), env })
  stack.defer(() => clickhouse.stop())
  const bill = on(placed, { startFrom: 'all' }, ({ n }) => {
    if (n < 9) throw new Reject(`order ${n} has no price`)
  })
  const shop = defineService('shop', { handlers: { bill } })
  const server = stack.use(await deployedServer([shop]))
  const users = stack.use(await deploymentUsers(deployment))
  const empty = stack.use(await testServer({ config: users.config }))
  const mesh = await server.connect('admin')
  const running = await (await server.connect('shop')).start(shop)
  stack.defer(() => running.stop())
  for (const n of [1, 2, 3]) await mesh.publish(placed, { n })
  stack.use(archiveStreams({ nats: (await server.connect('archive')).nats, namespace: '' }, { url: clickhouse.url }))
  const operator = await server.connect('operator')
  using operations = await openOperations(operator)
  await eventually(
    async () => {
      await operations.letters.refresh()
      expect(operations.letters.list().total).toBe(3)
      const sql = "SELECT count() AS events FROM archive.events FINAL WHERE stream = 'ORDERS'"
      expect(await queryArchiveSql({ url: clickhouse.url }, sql)).toEqual([{ events: '3' }])
    },
    { timeoutMs: 30_000 },
  )
  const all = stack.move()
  onTestFinished(() => all.disposeAsync())
  return {
    mesh,
    operator,
    server,
    empty: { url: empty.url, as: (user) => ({ NATS_URL: empty.url, ...users.as(user) }) },
    clickhouse: clickhouse.url,
    folder,
  }
}

async function commandsWithJson(): Promise<string[]> {
  type Command = Awaited<ReturnType<typeof createProgram>>
  const within = (command: Command, name: string): string[] => [
    ...(command.options.some(({ long }) => long === '--json') ? [name] : []),
    ...command.commands.flatMap((one) => within(one, `${name} ${one.name()}`.trim())),
  ]
  return within(await createProgram([]), '')
}
