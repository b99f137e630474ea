import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { centerOnboarded } from '@malha/contracts'
import { connectMesh, meshOptions } from '@malha/mesh'
import { startNotifier } from '@malha/operations'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { printShop } from '../print-shop-server.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'
import { expectOnlooker, rightsOf, serverWithRights } from './with-rights.ts'

const users = { notifier: { publish: rightsOf('docs/how-to/be-told.md').slice(0, 1) } }

test('with the rights of the page a notifier sees all it tells of, and can make no consumer and remove nothing', async () => {
  const received: string[] = []
  const take = async (request: IncomingMessage): Promise<void> => void received.push(await text(request))
  const hook = createServer((request, response) => {
    void take(request).finally(() => response.end())
  }).listen(0, '127.0.0.1')
  await once(hook, 'listening')
  using _hook = { [Symbol.dispose]: () => hook.close().closeAllConnections() }
  await using shop = await printShop(() => 422)
  await using server = await serverWithRights({ users })
  const service = welcome(shop.url)
  await provision([service], server.as('deployer'))
  await using admin = await connectMesh(meshOptions(server.as('deployer')))
  await using mesh = await connectMesh(meshOptions(server.as('welcome')))
  await mesh.start(service)
  const { refusals, logger } = keepRefusals()
  await using own = await connectMesh({ ...meshOptions(server.as('notifier')), logger })
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`
  await using notifier = await startNotifier(own, { url, lookMs: 50, watchMs: 50 })
  await admin.publish(centerOnboarded, { centerId: 'c-1' })
  await eventually(() => expect(received.length).toBe(1))
  expect(JSON.parse(received[0]!)).toMatchObject({ kind: 'letters', service: 'welcome', handler: 'letter' })
  expect([notifier.health(), refusals]).toEqual([{ ready: true, reasons: [] }, []])
  await expectOnlooker(own.nats, ['DEAD_LETTERS', 'KV_NOTIFICATIONS'])
})
