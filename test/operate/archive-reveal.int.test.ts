import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { archiveStreams, queryArchive } from '@malha/archive'
import { openOperations } from '@malha/operations'
import { startClickHouse } from '@malha/stack'
import { eventually } from '@malha/testing'
import { afterEach, expect, it, vi } from 'vitest'
import { bank, CARD, payment, taken } from '../../packages/operations/test/redaction/payments.ts'
import { createProgram } from '../../packages/cli/src/program.ts'
import { deployedServer } from '../deploy/deployed-server.ts'

// Other tests may share this process.
afterEach(() => vi.unstubAllEnvs())

it('archive query --reveal shows what is sensitive only once that is written down, with a reason and what was asked for', async () => {
  await using opened = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'malha-reveal-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }))
  const clickhouse = opened.use(await startClickHouse({ dataDir, env: {} }))
  const server = opened.use(await deployedServer([bank()]))
  const mesh = await server.connect('bank')
  using operations = await openOperations(await server.connect('viewer', { topology: 'none' }))
  const running = await mesh.start(bank())
  await (await server.connect('admin')).publish(taken, { ...payment, cents: 5 }, { id: 'paid' })
  await eventually(async () => expect(await operations.contracts.services()).toHaveLength(1))
  await running.stop()
  opened.use(
    archiveStreams({ nats: (await server.connect('archive')).nats, namespace: '' }, clickhouse, { pollMs: 100 }),
  )
  await eventually(async () => expect(await queryArchive(clickhouse, { id: 'paid' })).toHaveLength(1), {
    timeoutMs: 30_000,
  })

  const query = async (url: string, ...args: string[]): Promise<string> => {
    let shown = ''
    for (const [name, value] of Object.entries({ ...server.as('operator'), NATS_URL: url })) vi.stubEnv(name, value)
    vi.stubEnv('MALHA_CACHE', dataDir)
    using _stdout = vi.spyOn(process.stdout, 'write').mockImplementation((part) => ((shown += String(part)), true))
    const argv = ['archive', 'query', '--clickhouse', clickhouse.url, '--json', ...args]
    const error = await createProgram(argv)
      .then((program) => program.parseAsync(argv, { from: 'user' }))
      .then(() => '')
      .catch(String)
    return shown + error
  }
  const reveal = ['--id', 'paid', '--reveal', '--who', 'ana']
  const why = ['--reason', 'the customer asks']
  expect(await query(server.url, '--id', 'paid')).toContain('[redacted]')
  // Refused, each with nothing shown.
  const refused = [
    await query(server.url, ...reveal),
    await query(server.url, 'SELECT payload FROM archive.events', ...reveal, ...why),
    await query('nats://127.0.0.1:1', ...reveal, ...why),
  ]
  expect(refused.map((text) => /[A-Z]+_[A-Z_]+|SQL of your own/.exec(text)?.[0])).toEqual([
    'OPERATIONS_INVALID_OPTIONS',
    'SQL of your own',
    'MESH_CONNECT_FAILED',
  ])
  expect(refused.join()).not.toContain(CARD)
  expect((await operations.audit.list()).acts).toEqual([])

  expect(await query(server.url, ...reveal, ...why)).toContain(CARD)
  const entry = { action: 'archive.reveal', who: 'ana', reason: 'the customer asks', target: 'archive.events' }
  expect((await operations.audit.list()).acts).toMatchObject([
    { ...entry, after: { id: 'paid', limit: 100 }, outcome: 'done' },
  ])
})
