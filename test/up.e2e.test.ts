import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { eventually } from '@malha/testing'
import { nkeys } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import { dataFolder, descendants, malha, malhaAs, stillRunning, untilUp, type Up } from './malha-command.ts'

const cities = ['Recife', 'Olinda', 'Caruaru']

async function register(up: Up, city: string): Promise<string> {
  const response = await fetch(`${up.api}/centers`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': city },
    body: JSON.stringify({ name: `Centre ${city}`, city: { name: city, state: 'PE', country: 'BR' } }),
  })
  expect(response.status).toBe(202)
  return ((await response.json()) as { id: string }).id
}

type Seen = { id: string; status: string; partners: Record<string, { state: string }> }
type Received = { byCenter: Record<string, { effects: number; keys: string[] }> }

const json = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>
const center = (up: Up, id: string): Promise<Seen> => json<Seen>(`${up.api}/centers/${id}`)

type Connection = { name: string; account: string; authorized_user: string }

/** Each process came in with its own key, which nobody else of this machine can read. */
async function expectOwnUsers(up: Up): Promise<void> {
  const { connections } = await json<{ connections: Connection[] }>(`${up.natsMonitor}/connz?auth=1`)
  for (const [name, { pid }] of Object.entries(up.services)) {
    const file = join(up.natsUsers, `${name}.nk`)
    const own = nkeys.fromSeed(await readFile(file)).getPublicKey()
    const shown = connections.filter((one) => one.name.endsWith(`/${pid}`)).map((one) => one.authorized_user)
    expect([name, ...new Set(shown)]).toEqual([name, own])
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  }
}

async function takeDown(up: Up, partner: string): Promise<void> {
  await fetch(`${up.partnerControls[partner]}/_fault`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ mode: 'down' }),
  })
}

test('a second up on the same data goes on after SIGKILL of everything: what waited for a partner is onboarded, once', async () => {
  await using data = await dataFolder()
  await using first = malha('up', '--data', data.path, '--json', '--ports', 'random')
  const before = await untilUp(first)
  await expectOwnUsers(before)
  await takeDown(before, 'dmitri')
  const ids = await Promise.all(cities.map((city) => register(before, city)))
  await eventually(async () => (await center(before, ids[0]!)).partners['senninha']?.state === 'done')
  const family = descendants(first.pid)
  for (const pid of [first.pid, ...family.keys()]) process.kill(pid, 'SIGKILL')
  await first.ended

  await using second = malha('up', '--data', data.path, '--json', '--ports', 'random')
  const after = await untilUp(second)
  for (const id of ids)
    await eventually(async () => (await center(after, id)).status === 'onboarded', { timeoutMs: 90_000 })
  for (const partner of ['senninha', 'maas', 'dmitri']) {
    const { byCenter } = await json<Received>(`${after.partnerControls[partner]}/_received`)
    for (const id of ids)
      expect({ partner, ...byCenter[id], keys: byCenter[id]?.keys.length }).toMatchObject({
        partner,
        effects: 1,
        keys: 1,
      })
  }
  expect(await register(after, cities[0]!)).toBe(ids[0])

  const running = descendants(second.pid)
  expect(running.size).toBeGreaterThanOrEqual(10)
  second.process.kill('SIGINT')
  expect(await second.ended).toBe(0)
  await eventually(() => stillRunning(running).length === 0)
  expect(second.stdout.trimEnd().split('\n')).toHaveLength(1)
  expect(first.stderr + second.stderr).not.toContain('NATS refused')
}, 300_000)

test('a service that dies is started again with a line that says so, and a killed parent leaves no orphan', async () => {
  await using data = await dataFolder()
  await using command = malha('up', '--data', data.path, '--json', '--ports', 'random')
  const up = await untilUp(command)
  const { pid, health } = up.services['provider']!
  process.kill(pid, 'SIGKILL')
  await eventually(() => command.stderr.includes(`provider (pid ${pid}) died (SIGKILL); it is started again in`))
  await eventually(async () => (await fetch(`${health}/readyz`)).status === 200, { timeoutMs: 60_000 })

  // Somebody with a key may do what his user may, everybody else all.
  const viewer = { NATS_NKEY_SEED_FILE: join(up.natsUsers, 'viewer.nk'), NATS_INBOX_PREFIX: '_INBOX_viewer' }
  const pause = ['handlers', 'pause', 'provider/maas', '--reason', 'a test', '--server', up.nats]
  await using refused = malhaAs(viewer, ...pause)
  await using done = malhaAs({}, ...pause)
  expect([await refused.ended, await done.ended]).toEqual([1, 0])
  expect(refused.stderr).toMatch(/may not/)
  await eventually(() =>
    expect(command.stderr).toContain('NATS refused viewer something (Publish Violation, Subject "audit.entry.'),
  )

  const family = descendants(command.pid)
  command.process.kill('SIGKILL')
  expect(await command.ended).toBe('SIGKILL')
  await eventually(() => stillRunning(family).length === 0)
}, 300_000)

test('a port that is taken is an error that names the port and its flag, and nothing is started', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    await using command = malha('up', '--json', '--ports', 'random', '--api-port', String(port))
    expect(await command.ended).toBe(1)
    expect(command.stdout).toBe('')
    expect(command.stderr).toContain(`port ${port} for the API is taken: free it, or choose another with --api-port`)
    expect(command.stderr).not.toContain('at ')
  } finally {
    server.close()
  }
})

test('SIGTERM while it starts ends it too, with nothing left', async () => {
  await using command = malha('up', '--json', '--ports', 'random')
  await eventually(() => descendants(command.pid).size >= 3, { timeoutMs: 30_000 })
  const family = descendants(command.pid)
  command.process.kill('SIGTERM')
  expect(await command.ended).toBe(130)
  await eventually(() => stillRunning(family).length === 0)
  expect(command.stdout).toBe('')
}, 240_000)
