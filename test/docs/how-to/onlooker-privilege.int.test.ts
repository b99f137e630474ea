import { centerOnboarded } from '@malha/contracts'
import { connectMesh, meshOptions } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { printShop } from '../print-shop-server.ts'
import { provision } from './provision.ts'
import { rightsOf, serverWithRights } from './with-rights.ts'

const users = {
  onlooker: {
    publish: rightsOf('docs/how-to/find-out-what-happened.md').slice(0, 1),
    subscribe: ['center.>', 'mesh.>'],
  },
}

test('with the rights of the page an onlooker finds out what happened, changes nothing, and makes no consumer', async () => {
  await using shop = await printShop(() => 422)
  await using server = await serverWithRights({ users })
  const deployer = server.as('deployer')
  const service = welcome(shop.url)
  await provision([service], deployer)
  await using admin = await connectMesh(meshOptions(deployer))
  const running = await admin.start(service)
  await using looking = await connectMesh({ ...meshOptions(server.as('onlooker')), topology: 'none' })
  using view = await openOperations(looking)
  using tail = await view.tail({ pattern: 'center.>' })
  const { id } = (await admin.publish(centerOnboarded, { centerId: 'c-1' })) as { id: string }

  for await (const event of tail) {
    expect(event).toMatchObject({ id, key: 'c-1' })
    break
  }
  await eventually(async () => expect(await view.why('c-1')).toMatchObject({ situation: 'dead-letter', missing: [] }))
  const jsm = await jetstreamManager(admin.nats)
  const state = async (): Promise<unknown> =>
    await Promise.all(
      // The service that runs writes these by itself, from time to time.
      (await Array.fromAsync(jsm.streams.list()))
        .filter(({ config }) => !/(CHECKPOINTS|ADVISORIES)$/.test(config.name))
        .map(async ({ config: { name }, state: { messages, last_seq: last } }) => ({
          name,
          messages,
          last,
          floors: (await Array.fromAsync(jsm.consumers.list(name))).map((each) => [
            each.name,
            each.ack_floor.stream_seq,
            each.delivered,
          ]),
        })),
    )
  const before = await state()
  expect(await view.why(id)).toMatchObject({ as: 'id', situation: 'dead-letter', missing: [] })
  expect(await view.journey('c-1')).toMatchObject({ as: 'key', events: 1, missing: [] })
  expect((await view.streams()).map(({ name }) => name)).toContain('CENTERS')
  expect(await state()).toEqual(before)

  const mine = await jetstreamManager(looking.nats, { checkAPI: false, timeout: 1000 })
  await expect(mine.consumers.add('CENTERS', { name: 'mine' })).rejects.toThrow(/ermission/)
  using denied = await view.tail({ pattern: 'welcome.>' })
  await expect(denied[Symbol.asyncIterator]().next()).rejects.toThrow(
    /OPERATIONS_UNREADABLE: cannot listen to welcome\.>/,
  )
  await running.stop()
})
