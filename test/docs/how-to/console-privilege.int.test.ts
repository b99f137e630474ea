import { centerOnboarded } from '@malha/contracts'
import { startConsole } from '@malha/console'
import { connectMesh, type Mesh, meshOptions } from '@malha/mesh'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { welcome } from '../first-service/src/service.ts'
import { printShop } from '../print-shop-server.ts'
import { provision } from './provision.ts'
import { keepRefusals } from './refusals.ts'
import { expectOnlooker, rightsOf, serverWithRights } from './with-rights.ts'

const [viewer, operator] = rightsOf('docs/how-to/use-the-console.md') as [string, string]
const [, , claims] = rightsOf('docs/how-to/send-dead-letters-again.md').map((rights) =>
  rights.replaceAll('shop_bill', 'welcome_letter'),
)
const users = { viewer: { publish: [viewer] }, operator: { publish: [viewer, operator] } }

/** What each page of the console asks for. */
const LOOKING = [
  '/session',
  '/letters?state=open',
  '/letters/1',
  '/letters/1/payload',
  '/runs',
  '/handlers',
  '/journey?of=c-1',
  '/audit',
  '/openapi.json',
]
const STREAMS = ['DEAD_LETTERS', 'CENTERS', 'LANES_WELCOME', 'KV_MESH_CONTRACTS']

type Answer = { status: number; body: Record<string, unknown> }

async function ask(url: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${url}/api${path}`, {
    ...(body && { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, body: isJson ? (JSON.parse(text) as Answer['body']) : { text } }
}

/** All that looking could change. */
async function stateOf({ nats }: Mesh): Promise<unknown> {
  const jsm = await jetstreamManager(nats)
  // How far its handlers are the service writes down by itself, from time to time.
  const streams = (await Array.fromAsync(jsm.streams.list())).filter(
    ({ config }) => !config.name.endsWith('CHECKPOINTS'),
  )
  return await Promise.all(
    streams.map(async ({ config, state: { messages, last_seq: last } }) => ({
      config,
      messages,
      last,
      floors: (await Array.fromAsync(jsm.consumers.list(config.name))).map((one) => [
        one.name,
        one.ack_floor,
        one.delivered,
      ]),
    })),
  )
}

test('with the rights of the page a console shows all it has to viewers, works for operators, and can do nothing else', async () => {
  let isMended = false
  await using shop = await printShop(() => (isMended ? 201 : 422))
  await using server = await serverWithRights({ users, welcome: claims! })
  const service = welcome(shop.url)
  await provision([service], server.as('deployer'))
  await using admin = await connectMesh(meshOptions(server.as('deployer')))
  await using mesh = await connectMesh(meshOptions(server.as('welcome')))
  const running = await mesh.start(service)
  for (const centerId of ['c-1', 'c-2']) await admin.publish(centerOnboarded, { centerId })

  const { refusals, logger } = keepRefusals()
  await using looking = await connectMesh({ ...meshOptions(server.as('viewer')), topology: 'none', logger })
  await using viewing = await startConsole({ mesh: looking, port: 0 })
  await eventually(async () => {
    expect((await ask(viewing.url, '/letters')).body).toMatchObject({ total: 2, asOf: { state: 'current' } })
    expect((await ask(viewing.url, '/journey?of=c-1')).body).toMatchObject({ missing: [] })
  })
  const before = await stateOf(admin)
  for (const path of LOOKING) expect({ path, ...(await ask(viewing.url, path)) }).toMatchObject({ path, status: 200 })
  expect((await ask(viewing.url, '/letters/1')).body).toMatchObject({
    payload: { form: 'json', hidden: 0, text: expect.stringContaining('c-1') },
  })
  expect((await ask(viewing.url, '/handlers')).body).toMatchObject({
    handlers: [{ service: 'welcome', instances: [{}] }],
  })
  expect(refusals).toEqual([])
  // What is not there is said, with what to do.
  expect(await ask(viewing.url, '/events')).toMatchObject({ status: 503, body: { code: 'CONSOLE_NO_ARCHIVE' } })
  expect(await stateOf(admin)).toEqual(before)
  await expectOnlooker(looking.nats, STREAMS)
  await expect(looking.publish(centerOnboarded, { centerId: 'c-3' }, { timeoutMs: 1000 })).rejects.toThrow(
    /may not publish/,
  )

  // A console that lets people act has no more rights than its user: it says so, and nothing is done.
  await using daring = await startConsole({ mesh: looking, port: 0, role: 'operator' })
  const refused = await ask(daring.url, '/letters/1/discard', { reason: 'no' })
  expect(refused).toMatchObject({ status: 503, body: { code: 'OPERATIONS_NOT_AUDITED' } })
  expect(await stateOf(admin)).toEqual(before)

  isMended = true
  await using acting = await connectMesh(meshOptions(server.as('operator')))
  await using operating = await startConsole({ mesh: acting, port: 0, role: 'operator', who: 'on-call' })
  const act = (path: string, body: object = {}): Promise<Answer> => ask(operating.url, path, body)
  for (const [path, body] of [
    ['/letters/1/discard', { reason: 'closed' }],
    ['/letters/1/reopen', { reason: 'open again' }],
    ['/handlers/welcome/letter/pause', { reason: 'the printer is moved' }],
    ['/handlers/welcome/letter/resume', {}],
  ] as const)
    expect({ path, ...(await act(path, body)) }).toMatchObject({ path, status: 200 })
  const { body: run } = await act('/runs', { filter: { service: 'welcome' } })
  await eventually(async () =>
    expect((await ask(operating.url, `/runs/${String(run['id'])}`)).body).toMatchObject({
      state: 'done',
      counts: { ok: 2 },
    }),
  )
  const { body: audit } = await ask(viewing.url, '/audit')
  expect((audit['acts'] as { who: string; outcome: string }[]).map(({ who, outcome }) => `${who} ${outcome}`)).toEqual(
    Array.from({ length: 6 }, () => 'on-call done'),
  )
  await expectOnlooker(acting.nats, [...STREAMS, 'AUDIT', 'OPERATIONS'])
  await expect(acting.publish(centerOnboarded, { centerId: 'c-3' }, { timeoutMs: 1000 })).rejects.toThrow(
    /may not publish/,
  )
  await running.stop()
})
