import { centerOnboarded } from '@malha/contracts'
import { connectMesh, meshOptions } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { fences, readText } from '../pages.ts'
import { printShop } from '../print-shop-server.ts'
import { provision } from './provision.ts'

const confOf = (page: string): string[] =>
  fences(readText(page)).flatMap(({ info, body }) => (info === 'conf' ? [body] : []))
const [base] = confOf('docs/how-to/run-on-your-own-nats.md')
const [onlooker] = confOf('docs/how-to/find-out-what-happened.md')
const ONLOOKER = `{ user: onlooker, password: onlooker-pw, permissions: {
  subscribe: { allow: ["_INBOX_onlooker.>", "center.>", "mesh.>"] }, publish: { allow: [ ${onlooker} ] } } }`
const config = base!
  .replace('$DEPLOYER_PASSWORD', 'deployer-pw')
  .replace('$WELCOME_PASSWORD', 'welcome-pw')
  .replace('users: [', `users: [\n${ONLOOKER}\n`)

test('with the rights of the page an onlooker finds out what happened, changes nothing, and makes no consumer', async () => {
  await using shop = await printShop(() => 422)
  await using server = await testServer({ config })
  const user = (name: string): Record<string, string> => ({
    NATS_URL: server.url,
    NATS_USER: name,
    NATS_PASSWORD: `${name}-pw`,
    NATS_INBOX_PREFIX: `_INBOX_${name}`,
  })
  const deployer = { ...user('deployer'), NATS_INBOX_PREFIX: '_INBOX' }
  const service = welcome(shop.url)
  await provision([service], deployer)
  await using admin = await connectMesh(meshOptions(deployer))
  const running = await admin.start(service)
  await using looking = await connectMesh({ ...meshOptions(user('onlooker')), topology: 'none' })
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
      (await Array.fromAsync(jsm.streams.list())).map(
        async ({ config: { name }, state: { messages, last_seq: last } }) => ({
          name,
          messages,
          last,
          floors: (await Array.fromAsync(jsm.consumers.list(name))).map((each) => [
            each.name,
            each.ack_floor.stream_seq,
            each.delivered,
          ]),
        }),
      ),
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
