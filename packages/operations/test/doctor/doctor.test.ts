import { names, type ServiceContracts } from '@malha/mesh'
import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream'
import { describe, expect, it } from 'vitest'
import { accountFindings } from '../../src/doctor/account.ts'
import { clockFinding } from '../../src/doctor/clock.ts'
import { checkConsumers } from '../../src/doctor/consumers.ts'
import { delayFindings } from '../../src/doctor/delays.ts'
import { type Facts, namespaceOf, type Watched } from '../../src/doctor/facts.ts'
import { permissionFindings, tasksOf } from '../../src/doctor/permissions.ts'
import { serverFindings } from '../../src/doctor/servers.ts'
import { checkServices } from '../../src/doctor/services.ts'
import { checkStreams } from '../../src/doctor/streams.ts'

type Loose = Record<string, unknown>
const stream = (config: Loose = {}, more: Loose = {}): StreamInfo => {
  const metadata = { 'malha.kind': 'events', 'malha.owner': 'malha', 'malha.format': '1' }
  const base = {
    name: 'ORDERS',
    retention: 'limits',
    discard: 'new',
    allow_atomic: true,
    max_bytes: 1000,
    max_age: 0,
    metadata,
  }
  return { config: { ...base, ...config }, state: { bytes: 10, messages: 1 }, ...more } as unknown as StreamInfo
}
const consumer = (more: Loose = {}, config: Loose = {}): ConsumerInfo => {
  const metadata = { 'malha.service': 'shop', 'malha.handler': 'bill' }
  const base = { ack_policy: 'explicit', max_deliver: -1, max_ack_pending: 2000, metadata }
  const state = {
    num_pending: 0,
    num_ack_pending: 0,
    num_redelivered: 0,
    num_waiting: 1,
    delivered: { consumer_seq: 5 },
    ack_floor: { consumer_seq: 5 },
  }
  const place = { stream_name: 'ORDERS', name: 'shop_bill' }
  return { ...place, ...state, ...more, config: { ...base, ...config } } as unknown as ConsumerInfo
}
const still = (info: ConsumerInfo): Watched => ({ first: info, now: { ...info } })
const said = (more: Partial<ServiceContracts> = {}): ServiceContracts => ({
  v: 1,
  service: 'shop',
  version: '1',
  handlers: [{ handler: 'bill', source: 'order.placed', isTopic: false, stream: 'ORDERS', order: null }],
  replies: [],
  publishes: [],
  retired: [],
  contracts: [],
  untold: [],
  ...more,
})
const brief = (findings: readonly { state: string; what: string }[]): string[] =>
  findings.map(({ state, what }) => `${state}: ${what}`)

describe('streams', () => {
  it.each([
    [{}, /^ok/],
    [{ discard: 'old' }, /^fail: discard is old, and must be new/],
    [{ sealed: true }, /^fail: it is sealed/],
    [{ retention: 'workqueue' }, /^fail: retention is workqueue, and must be limits/],
    [{ max_bytes: 14 }, /^warn: it is 71 % full/],
    [{ max_bytes: 10 }, /^fail: it is 100 % full/],
    [{ metadata: { 'malha.kind': 'events', 'malha.owner': 'malha', 'malha.format': '2' } }, /^fail: it is of format 2/],
    [{ metadata: { 'malha.kind': 'events', 'malha.format': '1' } }, /^fail: its metadata say no owner/],
  ])('%j is told', (config, expected) => {
    const found = checkStreams({ streams: [stream(config)], leaderless: [] })
    expect(brief(found)).toEqual([expect.stringMatching(expected)])
    expect(found.filter(({ state, fix }) => state !== 'ok' && fix === null)).toEqual([])
  })

  it('without a leader, or with a replica behind, are told', () => {
    const cluster = { leader: undefined, replicas: [{ name: 'n2', current: false }] }
    expect(brief(checkStreams({ streams: [stream({}, { cluster })], leaderless: ['LOST'] }))).toEqual([
      expect.stringMatching(/^fail: it has no leader/),
      expect.stringMatching(/^fail: it has no leader/),
      'warn: its replicas of 1 streams are offline or behind: ORDERS',
    ])
  })

  it('of another namespace are told apart by their names', () => {
    expect(['CENTERS', 'staging_CENTERS', 'KV_staging_RUNS', 'KV_RUNS'].map(namespaceOf)).toEqual([
      '',
      'staging',
      'staging',
      '',
    ])
  })
})

describe('consumers', () => {
  it.each([
    ['one that moves', consumer(), /^ok/],
    ['changed by hand', consumer({}, { max_deliver: 5 }), /^fail: max_deliver is 5/],
    [
      'that gave messages up',
      consumer({ num_redelivered: 3, num_ack_pending: 1 }),
      /^fail: the server gave 2 messages up/,
    ],
    ['with a backoff', consumer({}, { backoff: [1] }), /^fail: it has a backoff/],
    [
      'full of unacked messages',
      consumer({ num_ack_pending: 2000, num_pending: 1 }),
      /^fail: 2000 messages are with handlers/,
    ],
    [
      'that nobody pulls',
      consumer({ num_pending: 7, num_waiting: 0 }),
      /^warn: 7 messages wait and no instance of shop pulls/,
    ],
    ['that delivers nothing', consumer({ num_pending: 7 }), /^fail: 7 messages wait and instances of shop pull/],
    ['paused', consumer({ paused: true }), /^warn: it is paused/],
    ['without a leader', consumer({ cluster: { leader: undefined } }), /^fail: it has no leader/],
  ])('%s', (_what, info, expected) => {
    expect(brief(checkConsumers({ durables: [still(info)] }))).toEqual([expect.stringMatching(expected)])
  })

  it('one that works off its messages between two looks is well', () => {
    const first = consumer({ num_pending: 7, num_waiting: 0 })
    const now = consumer({ num_pending: 7, num_waiting: 0, delivered: { consumer_seq: 6 } })
    expect(checkConsumers({ durables: [{ first, now }] })[0]!.state).toBe('ok')
  })
})

describe('services', () => {
  const check = (info: ConsumerInfo, services: ServiceContracts[] | undefined): string[] =>
    brief(checkServices({ durables: [still(info)], services, streams: [] }))

  it.each([
    ['a durable of a handler that is there', consumer(), [said()], /^ok/],
    [
      'of one that is gone, with messages',
      consumer({ num_pending: 3 }),
      [said({ handlers: [] })],
      /^fail: shop has no handler bill; 3 messages wait/,
    ],
    ['of one that is gone, with none', consumer(), [said({ handlers: [] })], /^warn: shop has no handler bill; 0/],
    [
      'of one that is retired',
      consumer(),
      [said({ handlers: [], retired: ['bill'] })],
      /^warn: handler bill of shop is retired/,
    ],
    ['of a service that nobody runs', consumer({ num_waiting: 0 }), [said()], /^warn: no instance of it pulls/],
    ['with no service that said anything', consumer(), undefined, /^warn: no service said its contracts/],
  ])('%s', (_what, info, services, expected) => {
    expect(check(info, services)).toEqual([expect.stringMatching(expected)])
  })
})

it('servers that are too old, of several versions, or cannot be asked are told', () => {
  expect(
    brief(serverFindings([{ address: 'a', version: '2.15.1' }, { address: 'b', version: '2.10.0' }, { address: 'c' }])),
  ).toEqual([
    'fail: it is nats-server 2.10.0',
    'warn: it could not be asked for its version from here',
    'warn: its servers are of 2 versions: 2.10.0, 2.15.1',
  ])
})

it('an account that is nearly full is told, one without limits is not', () => {
  expect(
    brief(
      accountFindings({ storage: 1, reserved_storage: 95, streams: 8, limits: { max_storage: 100, max_streams: 10 } }),
    ),
  ).toEqual([
    expect.stringMatching(/^fail: storage on file: 95 of 100/),
    expect.stringMatching(/^warn: streams: 8 of 10/),
  ])
  expect(accountFindings({ storage: 1, limits: { max_storage: -1 } })[0]!.state).toBe('ok')
})

it('a clock that is wrong by more than can be measured is told', () => {
  expect(clockFinding({ apartMs: -3000, errorMs: 5 })).toMatchObject({
    state: 'warn',
    what: expect.stringContaining('3000 ms behind'),
  })
  expect(clockFinding({ apartMs: 90_000, errorMs: 5 }).state).toBe('fail')
  expect(clockFinding({ apartMs: 2500, errorMs: 1000 }).state).toBe('ok')
})

it('permissions that are missing to look are told with what to allow; to act, they are only named', () => {
  const tasks = tasksOf(names('staging'), [
    stream({ name: 'staging_ORDERS', subjects: ['staging.order.>', 'staging._done.ORDERS.>'] }),
  ])
  const allow = [
    '$JS.API.INFO',
    '$JS.API.STREAM.LIST',
    '$JS.API.STREAM.INFO.*',
    '$JS.API.CONSUMER.LIST.*',
    'staging.order.>',
  ]
  const found = permissionFindings(
    { user: 'ana', permissions: { publish: { allow, deny: ['staging.order.secret.>'] } } },
    tasks,
  )
  expect(brief(found)).toEqual([
    'ok: may look at streams and consumers',
    'warn: may not look at dead letters',
    'warn: may not look at contracts',
    'warn: may not ask instances how they are',
    'ok: may not publish events',
    'ok: may not send letters again and discard them',
    'ok: may not make streams',
  ])
  expect(found[2]!.fix).toBe('to let it: allow publish on $JS.API.STREAM.MSG.GET.KV_staging_MESH_CONTRACTS')
  expect(permissionFindings({ user: 'root' }, tasks)).toHaveLength(1)
})

it('delayed events whose durable is gone are told by type', () => {
  const facts = {
    names: names(''),
    durables: [still(consumer({ stream_name: 'DELAYS', name: 'delay_mail_send' }))],
  } as unknown as Facts
  const subjects = { 'delay.at.mail.send._id.x': 1, 'delay.at.order.placed._key.k': 1, 'delay.due.order.placed': 4 }
  expect(brief(delayFindings(subjects, facts))).toEqual([
    expect.stringMatching(/^fail: 5 of order\.placed wait, and durable delay_order_placed/),
  ])
})
