import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { centerOnboarded } from '@malha/contracts'
import { connectMesh, meshOptions } from '@malha/mesh'
import { startNotifier } from '@malha/operations'
import { eventually, testServer } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { fences, readText } from '../pages.ts'
import { printShop } from '../print-shop-server.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'

const confOf = (page: string): string[] =>
  fences(readText(page)).flatMap(({ info, body }) => (info === 'conf' ? [body] : []))
const [base] = confOf('docs/how-to/run-on-your-own-nats.md')
const [rights] = confOf('docs/how-to/be-told.md')
const config = base!
  .replace('$DEPLOYER_PASSWORD', 'deployer-pw')
  .replace('$WELCOME_PASSWORD', 'welcome-pw')
  .replace(
    'users: [',
    `users: [
{ user: notifier, password: notifier-pw, permissions: {
  subscribe: { allow: ["_INBOX_notifier.>"] }, publish: { allow: [ ${rights} ] } } }
`,
  )

test('with the rights of the page a notifier sees all it tells of, and can make no consumer and remove nothing', async () => {
  const received: string[] = []
  const take = async (request: IncomingMessage): Promise<void> => void received.push(await text(request))
  const hook = createServer((request, response) => {
    void take(request).finally(() => response.end())
  }).listen(0, '127.0.0.1')
  await once(hook, 'listening')
  using _hook = { [Symbol.dispose]: () => hook.close().closeAllConnections() }
  await using shop = await printShop(() => 422)
  await using server = await testServer({ config })
  const user = (name: string): Record<string, string> => ({
    NATS_URL: server.url,
    NATS_USER: name,
    NATS_PASSWORD: `${name}-pw`,
    NATS_INBOX_PREFIX: name === 'deployer' ? '_INBOX' : `_INBOX_${name}`,
  })
  const service = welcome(shop.url)
  await provision([service], user('deployer'))
  await using admin = await connectMesh(meshOptions(user('deployer')))
  await using mesh = await connectMesh(meshOptions(user('welcome')))
  await mesh.start(service)
  const { refusals, logger } = keepRefusals()
  await using own = await connectMesh({ ...meshOptions(user('notifier')), logger })
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`
  await using notifier = await startNotifier(own, { url, lookMs: 50, watchMs: 50 })
  await admin.publish(centerOnboarded, { centerId: 'c-1' })
  await eventually(() => expect(received.length).toBe(1))
  expect(JSON.parse(received[0]!)).toMatchObject({ kind: 'letters', service: 'welcome', handler: 'letter' })
  expect([notifier.health(), refusals]).toEqual([{ ready: true, reasons: [] }, []])
  const jsm = await jetstreamManager(own.nats, { checkAPI: false, timeout: 1000 })
  for (const stream of ['DEAD_LETTERS', 'KV_NOTIFICATIONS']) {
    await expect(jsm.consumers.add(stream, { name: 'mine' })).rejects.toThrow(/ermission/)
    await expect(jsm.streams.purge(stream)).rejects.toThrow(/ermission/)
  }
})
