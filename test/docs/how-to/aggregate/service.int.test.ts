import { openAggregate } from '@malha/patterns'
import { eventually, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { account } from './account.ts'
import { takeMoney, teller } from './service.ts'

test('a command takes money once, and one that asks for too much is a dead letter', async () => {
  await using t = await testMesh()
  await using _running = await t.mesh.start(await teller(t.mesh))
  const accounts = await openAggregate(t.mesh, account, { snapshots: { every: 1 } })
  await accounts.execute('a-1', { kind: 'open', accountId: 'a-1', limitCents: 100 })
  for (const id of ['first', 'first', 'second', 'too-much'])
    await t.mesh.publish(takeMoney, { accountId: 'a-1', cents: 40 }, { id })
  const letters = t.mesh.names.stream('DEAD_LETTERS')
  const jsm = await jetstreamManager(t.nats)
  await eventually(async () => expect((await jsm.streams.info(letters)).state.messages).toBe(1))
  await eventually(async () => expect(await accounts.load('a-1')).toMatchObject({ state: { cents: -80 }, version: 3 }))
})
