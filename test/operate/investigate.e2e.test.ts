import { defineService, on, Reject } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { deployedServer } from '../deploy/deployed-server.ts'
import { malhaAs } from '../malha-command.ts'
import { placed } from './contracts.ts'

type Ran = { code: number | NodeJS.Signals; json: () => Record<string, unknown>; stdout: string; stderr: string }

async function run(user: Record<string, string>, ...args: string[]): Promise<Ran> {
  await using command = malhaAs(user, ...args)
  const code = await command.ended
  const { stdout, stderr } = command
  return { code, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, unknown> }
}

test('at a terminal a message is followed, what it waits for is said, events are listened to, and streams are listed', async () => {
  const shop = defineService('shop', {
    handlers: { bill: on(placed, { startFrom: 'all' }, () => Promise.reject(new Reject('no \u001B[31mink'))) },
  })
  await using server = await deployedServer([shop])
  const mesh = await server.connect('admin', { name: 'till' })
  const viewer = server.as('viewer')
  const running = await (await server.connect('shop')).start(shop)
  await using tail = malhaAs(viewer, 'tail', 'order.>', '--count', '2', '--ndjson')
  await eventually(() => expect(tail.stderr).toContain('listening to order.>'), { timeoutMs: 30_000 })
  await mesh.publish(placed, { n: 1 })
  await mesh.publish(placed, { n: 2 })
  expect(await tail.ended).toBe(0)
  const lines = tail.stdout.trimEnd().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(['o-1', 'o-2'])

  const [shown, unknown, journey, streams] = await Promise.all([
    run(viewer, 'why', 'o-1'),
    run(viewer, 'why', 'o-9', '--json'),
    run(viewer, 'journey', 'o-1', '--json'),
    run(viewer, 'streams', '--json'),
  ])
  expect(shown.code).toBe(0)
  expect(shown.stdout).toContain(
    'order.placed o-1 is dead letter 1 of shop/bill (open): MESH_REJECTED: no \\u{1B}[31mink.\n→ malha dlq show 1',
  )
  expect(unknown.code).toBe(3)
  expect(unknown.json()).toMatchObject({ situation: 'unknown' })
  expect(journey.json()).toMatchObject({
    as: 'key',
    events: 1,
    roots: [{ event: { key: 'o-1' }, handlers: [{ situation: 'dead-letter', attempts: [{ code: 'MESH_REJECTED' }] }] }],
  })
  expect(streams.json()['streams']).toContainEqual(
    expect.objectContaining({ name: 'ORDERS', kind: 'events', alarms: [] }),
  )

  await using endless = malhaAs(viewer, 'tail')
  await eventually(() => expect(endless.stderr).toContain('listening to'), { timeoutMs: 30_000 })
  endless.process.kill('SIGINT')
  expect(await endless.ended).toBe(0)
  await running.stop()
})
