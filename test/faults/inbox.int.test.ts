import { fileURLToPath } from 'node:url'
import { type Child, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { charger } from './charger.ts'
import { type FaultMesh, faultMesh } from './fault-mesh.ts'
import { type Partner, partner } from './fixture.ts'
import { asked, source } from './jobs.ts'

type Watched = { dieAt?: 'returned' | 'stored'; onLine?: (line: string) => void }

type Charger = Child & AsyncDisposable

function startCharger(t: FaultMesh, office: Partner, { dieAt, onLine = () => undefined }: Watched = {}): Charger {
  const child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL('charger.ts', import.meta.url))],
    env: {
      ...process.env,
      ...t.as('charger'),
      PARTNER_URL: office.url,
      ...(dieAt && { DIE_AT: dieAt }),
    },
    onLine,
  })
  return Object.assign(child, { [Symbol.asyncDispose]: async () => void (await child.stop()) })
}

test.each([
  { dieAt: 'returned', after: 'the effect and before its record', calls: 2 },
  { dieAt: 'stored', after: 'its record and before the ack', calls: 1 },
] as const)('a process killed after $after: the partner was called $calls times', async ({ dieAt, calls }) => {
  await using t = await faultMesh([source, charger])
  await using office = await partner()
  await t.mesh.publish(asked, { jobId: 'j1', n: 1 })
  await using doomed = startCharger(t, office, { dieAt })
  expect((await doomed.exited).signal).toBe('SIGKILL')
  expect(office.calls.get('j1')).toBe(1)

  await using heir = startCharger(t, office)
  const jsm = await jetstreamManager(t.nats)
  const durable = ['JOBS', 'charger_charge_keyed'] as const
  await eventually(async () => expect((await jsm.consumers.info(...durable)).ack_floor.stream_seq).toBe(1), {
    timeoutMs: 60_000,
  })
  expect(office.calls.get('j1')).toBe(calls)
  heir.kill('SIGTERM')
  expect((await heir.exited).code).toBe(0)
})

test('while the inbox cannot be written a handled message is not handled again, and it is recorded when it can be', async () => {
  await using t = await faultMesh([source, charger])
  await using office = await partner()
  const lines: string[] = []
  await using _charger = startCharger(t, office, { onLine: (line) => lines.push(line) })
  const jsm = await jetstreamManager(t.nats)
  const inbox = 'KV_MESH_INBOX'
  const durable = ['JOBS', 'charger_charge_keyed'] as const
  await eventually(() => expect(lines.join('\n')).toContain('is bound'), { timeoutMs: 60_000 })
  // It can be read, but takes nothing.
  await jsm.streams.update(inbox, { max_bytes: 1 })
  await t.mesh.publish(asked, { jobId: 'j1', n: 1 })
  await eventually(() => expect(office.calls.get('j1')).toBe(1), { timeoutMs: 30_000 })
  await eventually(() =>
    expect(lines.filter((line) => line.includes('could not be recorded')).length).toBeGreaterThan(2),
  )
  expect((await jsm.consumers.info(...durable)).num_ack_pending).toBe(1)
  await jsm.streams.update(inbox, { max_bytes: 1024 ** 2 })
  await eventually(async () => expect((await jsm.consumers.info(...durable)).ack_floor.stream_seq).toBe(1), {
    timeoutMs: 60_000,
  })
  expect(office.calls.get('j1')).toBe(1)
  expect((await jsm.streams.info(inbox)).state.messages).toBe(1)
})
