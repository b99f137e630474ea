import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { deployment } from '@malha/deploy'
import { eventually } from '@malha/testing'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { afterEach, expect, it, vi } from 'vitest'
import { registerCenters, untilOnboarded } from '../kills/centers.ts'
import { expectOneEffectEach, setFault } from '../kills/evidence.ts'
import { referenceMesh } from '../kills/reference-mesh.ts'
import { malha } from '../malha-command.ts'
import { deploymentUsers } from './users.ts'

afterEach(() => vi.unstubAllEnvs())

const CENTERS = 20
const SPOOLS = 'distribution-center'
/** Of an event that is read by four handlers. */
const LETTERS = 4

it('the reference mesh retries, dead-letters and archives with generated rights, each process with its own, and nothing is refused', async () => {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'malha-deployed-'))
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  const spool = join(folder, 'spool.db')
  const users = opened.use(await deploymentUsers(deployment))
  const mesh = opened.use(
    await referenceMesh({
      users: { ...users, as: (user) => ({ ...users.as(user), ...(user === SPOOLS && { MALHA_SPOOL_FILE: spool }) }) },
    }),
  )
  /** Runs a command as a user; what it printed. */
  const as = async (user: string, ...args: string[]): Promise<string> => {
    for (const [name, value] of Object.entries(users.as(user))) vi.stubEnv(name, value)
    await using command = malha(...args, '--server', mesh.nats.server.url)
    const code = await command.ended
    expect({ args, code, stderr: code === 0 ? '' : command.stderr }).toEqual({ args, code: 0, stderr: '' })
    return command.stdout
  }

  await setFault(mesh, 'senninha', { mode: 'down' })
  const ids = await registerCenters(mesh, 'deployed', CENTERS)
  // What no release of these handlers can read.
  const foreign = headers()
  for (const [name, value] of [
    ['ce-id', 'foreign'],
    ['ce-type', 'center.registered'],
  ] as const)
    foreign.set(name, value)
  await jetstream(mesh.watch).publish('center.registered.0.foreign', '{"centre":1}', { headers: foreign })
  const jsm = await jetstreamManager(mesh.watch)
  const messages = async (stream: string): Promise<number> => (await jsm.streams.info(stream)).state.messages
  await eventually(async () => expect(await messages('DEAD_LETTERS')).toBe(LETTERS), { timeoutMs: 60_000 })
  await eventually(async () => expect(await messages('MESH')).toBeGreaterThan(CENTERS), { timeoutMs: 60_000 })
  await setFault(mesh, 'senninha', { mode: 'up' })
  await untilOnboarded(mesh, ids, 60_000)
  await expectOneEffectEach(mesh, ids)

  const [letters] = await Promise.all([
    as('viewer', 'dlq', 'list', '--json'),
    as('viewer', 'handlers', 'list', '--json'),
    as('viewer', 'streams', '--json'),
    as('operator', 'dlq', 'discard', '1', '--reason', 'nobody can read it', '--json'),
    as('operator', 'handlers', 'pause', 'provider/senninha', '--reason', 'a test', '--json'),
  ])
  expect(JSON.parse(letters)).toMatchObject({ total: LETTERS })
  const audited = ['archive', 'audit', '--clickhouse', mesh.clickhouseUrl, '--wait', '30', '--json']
  expect(JSON.parse(await as('archive', ...audited))).toMatchObject({ clean: true })
  expect(mesh.output.filter((line) => /^nats .*(violation|error)/i.test(line))).toEqual([])
})
