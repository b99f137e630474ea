import { setImmediate } from 'node:timers/promises'
import { auditArchive } from '@malha/archive'
import { deployment } from '@malha/deploy'
import { inboxPrefixOf, permissionsOf } from '@malha/deployment'
import { testServer, type TestServer } from '@malha/testing'
import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { explain } from '../../packages/cli/src/explain.ts'
import { type DeploymentUsers, deploymentUsers } from './users.ts'

type Attempt = { publish: string } | { subscribe: string }
type Attempts = Readonly<Record<string, readonly Attempt[]>>

const users = [...permissionsOf(deployment).keys()]
const people = ['viewer', 'operator']
const services = ['distribution-center', 'provider', 'city-registration']

const publish = (...subjects: string[]): Attempt[] => subjects.map((subject) => ({ publish: subject }))
const subscribe = (...subjects: string[]): Attempt[] => subjects.map((subject) => ({ subscribe: subject }))
const api = (...calls: string[]): Attempt[] => publish(...calls.map((call) => `$JS.API.${call}`))

/** One handler of each service. */
const HANDLER: Readonly<Record<string, { durable: string; stream: string; lanes: string; filter: string }>> = {
  'distribution-center': {
    durable: 'distribution-center_provider_keyed',
    stream: 'PARTNERS',
    lanes: 'LANES_DISTRIBUTION-CENTER',
    filter: 'provider.created.*.*',
  },
  provider: {
    durable: 'provider_senninha_keyed',
    stream: 'CENTERS',
    lanes: 'LANES_PROVIDER',
    filter: 'center.registered.*.*',
  },
  'city-registration': {
    durable: 'city-registration_dmitri_keyed',
    stream: 'CENTERS',
    lanes: 'LANES_CITY-REGISTRATION',
    filter: 'center.registered.*.*',
  },
}
const EVENTS: Readonly<Record<string, string[]>> = {
  'distribution-center': ['center.registered.1.x', 'center.onboarded.1.x'],
  provider: ['provider.created.1.x'],
  'city-registration': ['city.registered.1.x'],
}
const handlersOf = (who: readonly string[]): (typeof HANDLER)[string][] => who.map((name) => HANDLER[name]!)
const others = (user: string): string[] => services.filter((name) => name !== user)

/** Whoever provisions makes durables, and so may change them. */
const HARM = ['DELETE', 'MSG.NEXT', 'RESET', 'PAUSE', 'UNPIN', 'DURABLE.CREATE', 'LEADER.STEPDOWN']

/** What nobody may do. */
const nobody = (user: string): Attempts => ({
  'read another’s inbox': subscribe(
    '>',
    '_INBOX.>',
    '*.>',
    ...users.filter((other) => other !== user).map((other) => `${inboxPrefixOf(other)}.>`),
  ),
  'listen to events, letters, lanes, acks and calls of others': subscribe(
    // Whoever may read all streams may hear what goes into them.
    ...(people.includes(user) ? [] : ['center.>', 'mesh.>']),
    'request.>',
    'dlq.>',
    'lane.>',
    '$JS.ACK.>',
    '$JS.API.>',
    '$KV.>',
  ),
  'purge or delete': api(
    ...['CENTERS', 'PARTNERS', 'DEAD_LETTERS', 'AUDIT', 'OPERATIONS', 'MESH', 'DELAYS', 'KV_MESH_CHECKPOINTS'].flatMap(
      (stream) => [`STREAM.PURGE.${stream}`, `STREAM.DELETE.${stream}`, `STREAM.MSG.DELETE.${stream}`],
    ),
    ...handlersOf(others(user)).flatMap(({ lanes }) => [`STREAM.PURGE.${lanes}`, `STREAM.DELETE.${lanes}`]),
  ),
  'harm the durable of a service': api(
    ...handlersOf(others(user)).flatMap(({ stream, durable }) =>
      (user === 'provision' ? HARM : [...HARM, 'CREATE']).map((call) => `CONSUMER.${call}.${stream}.${durable}`),
    ),
  ),
  'ack for a service': publish(
    ...handlersOf(others(user)).map(({ stream, durable }) => `$JS.ACK.${stream}.${durable}.1.1.1.1.0`),
  ),
  'administer the server': [
    ...publish('$SYS.REQ.SERVER.PING', '$SYS.REQ.ACCOUNT.MALHA.CONNZ', '$SYS.ACCOUNT.MALHA.x'),
    ...subscribe('$SYS.>', '$JS.EVENT.>'),
    ...api('ACCOUNT.PURGE.MALHA', 'META.LEADER.STEPDOWN', 'STREAM.SNAPSHOT.CENTERS', 'STREAM.RESTORE.CENTERS'),
  ],
  'publish the events of a service': publish(...others(user).flatMap((name) => EVENTS[name]!)),
  'write floors of a service': publish(
    ...(user === 'provision' ? [] : handlersOf(others(user)).map(({ durable }) => `$KV.MESH_CHECKPOINTS.${durable}`)),
  ),
})

/** What no service may do beside that. */
function noService(user: string): Attempts {
  const { durable, stream, lanes } = HANDLER[user]!
  const elsewhere = [
    'DEAD_LETTERS',
    'AUDIT',
    'OPERATIONS',
    'MESH_CONTRACTS',
    ...handlersOf(others(user)).map((one) => one.lanes),
  ]
  return {
    'read letters': api(
      'STREAM.MSG.GET.DEAD_LETTERS',
      'DIRECT.GET.DEAD_LETTERS',
      ...handlersOf(others(user)).map((one) => `DIRECT.GET.DEAD_LETTERS.dlq.${one.durable}.CENTERS.1.1@1`),
    ),
    'create consumers on streams that are not its own': api(
      ...elsewhere.flatMap((one) => [
        `CONSUMER.CREATE.${one}`,
        `CONSUMER.CREATE.${one}.${durable}`,
        `CONSUMER.CREATE.${one}.${durable}.>`,
        `CONSUMER.DURABLE.CREATE.${one}.${durable}`,
      ]),
    ),
    'create another consumer on its own streams': api(
      ...[stream, lanes].flatMap((one) => [
        `CONSUMER.CREATE.${one}`,
        `CONSUMER.CREATE.${one}.mine`,
        `CONSUMER.CREATE.${one}.mine.>`,
        `CONSUMER.DURABLE.CREATE.${one}.mine`,
      ]),
    ),
    'give its own durable another filter': api(
      `CONSUMER.CREATE.${stream}.${durable}`,
      `CONSUMER.CREATE.${stream}.${durable}.>`,
      `CONSUMER.CREATE.${stream}.${durable}.*.>`,
      `CONSUMER.DURABLE.CREATE.${stream}.${durable}`,
    ),
    'read another’s lanes': api(
      ...handlersOf(others(user)).flatMap((one) => [
        `STREAM.MSG.GET.${one.lanes}`,
        `DIRECT.GET.${one.lanes}`,
        `CONSUMER.MSG.NEXT.${one.lanes}.${one.durable.replace('_keyed', '')}`,
      ]),
    ),
    'write for others: lanes, letters, records, contracts': publish(
      ...others(user).flatMap((name) => [`lane.${name}.x.now`, `$KV.MESH_CONTRACTS.${name}`]),
      ...handlersOf(others(user)).flatMap((one) => [
        `dlq.${one.durable}.CENTERS.1.1@1`,
        `ops.letter.${one.durable}.CENTERS.1.1@1`,
        `ops.run.${one.durable}.r.CENTERS.1.1@1`,
      ]),
    ),
    'act as an operator': publish('audit.entry.run.begin', '$KV.HANDLERS.x.y', '$KV.RUNS.x', '_malha.control.provider'),
    'make or change a stream': api('STREAM.CREATE.MINE', 'STREAM.UPDATE.CENTERS', 'STREAM.UPDATE.DEAD_LETTERS'),
  }
}

/** What nobody who is no service may do. */
const noTool = (user: string): Attempts => ({
  'create consumers': api(
    ...(user === 'provision'
      ? []
      : user === 'archive'
        ? ['KV_RUNS', 'KV_MESH_CHECKPOINTS', 'LANES_PROVIDER']
        : ['CENTERS', 'DEAD_LETTERS', 'LANES_PROVIDER']
    ).flatMap((stream) => [
      `CONSUMER.CREATE.${stream}`,
      `CONSUMER.CREATE.${stream}.mine.>`,
      `CONSUMER.DURABLE.CREATE.${stream}.mine`,
    ]),
  ),
  'write letters': publish('dlq.provider_senninha.CENTERS.1.1@1', 'dlq._spool.CENTERS.x.1'),
  'change a stream': user === 'provision' ? [] : api('STREAM.UPDATE.CENTERS', 'STREAM.CREATE.MINE'),
  'read letters':
    user === 'provision'
      ? api('STREAM.MSG.GET.DEAD_LETTERS', 'DIRECT.GET.DEAD_LETTERS', 'DIRECT.GET.DEAD_LETTERS.dlq.>')
      : [],
  'act as an operator': ['operator', 'console'].includes(user)
    ? []
    : publish(
        'audit.entry.run.begin',
        '$KV.HANDLERS.x.y',
        '$KV.RUNS.x',
        '_malha.control.provider',
        'ops.letter.x',
        'lane.provider.senninha.now',
      ),
})

let server: TestServer
let keys: DeploymentUsers
beforeAll(async () => {
  keys = await deploymentUsers(deployment)
  server = await testServer({ config: keys.config })
  await keys.prepare(server.url)
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await keys[Symbol.asyncDispose]()
})

const rows = users.flatMap((user) => {
  const attempts = { ...nobody(user), ...(services.includes(user) ? noService(user) : noTool(user)) }
  return Object.entries(attempts).flatMap(([what, list]) => (list.length === 0 ? [] : [{ user, what, list }]))
})

it.each(rows)('$user may not $what', async ({ user, list }) => {
  await using opened = new AsyncDisposableStack()
  const nats = await keys.connect(user, server.url)
  opened.defer(() => nats.close())
  expect(await refusedOf(nats, list)).toEqual(list)
})

/** Which attempts the server refuses: its answer to a ping comes after what it says of all before. */
async function refusedOf(nats: NatsConnection, attempts: readonly Attempt[]): Promise<Attempt[]> {
  const refused = new Set<string>()
  const keep = (error: unknown): void => {
    if (error instanceof PermissionViolationError) refused.add(`${error.operation} ${error.subject}`)
  }
  void (async () => {
    for await (const status of nats.status()) if (status.type === 'error') keep(status.error)
  })()
  for (const attempt of attempts)
    if ('publish' in attempt) nats.publish(attempt.publish)
    else nats.subscribe(attempt.subscribe, { callback: keep })
  await nats.flush()
  // The statuses that came before are read by then.
  await setImmediate()
  return attempts.filter((attempt) =>
    'publish' in attempt ? refused.has(`publish ${attempt.publish}`) : refused.has(`subscription ${attempt.subscribe}`),
  )
}

it.each([
  ['another filter', { filter_subject: '>' }],
  ['a list of filters', { filter_subjects: ['center.>'] }],
  ['no filter', {}],
])('the right to make a durable with its filter makes none with %s', async (_, filter) => {
  await using opened = new AsyncDisposableStack()
  const nats = await keys.connect('provider', server.url)
  opened.defer(() => nats.close())
  const { durable, stream, filter: own } = HANDLER['provider']!
  const config = { durable_name: durable, ack_policy: 'explicit', ...filter }
  const body = JSON.stringify({ stream_name: stream, config, action: 'create' })
  const answer = await nats.request(`$JS.API.CONSUMER.CREATE.${stream}.${durable}.${own}`, body)
  expect(answer.json()).toMatchObject({ error: { code: 400 } })
})

it.each([
  ['notifier', '$JS.API.DIRECT.GET.'],
  ['provider', '$JS.API.STREAM.LIST'],
])(
  'an audit of the archive as %s, who may not look at all streams, names the right that is missing and who has it',
  async (user, right) => {
    await using opened = new AsyncDisposableStack()
    const nats = await keys.connect(user, server.url)
    opened.defer(() => nats.close())
    const denied = auditArchive({ nats, clickhouse: { url: 'http://127.0.0.1:1' } })
    await expect(denied).rejects.toThrow(`ARCHIVE_DENIED: this user may not publish on ${right}`)
    await expect(denied).rejects.toThrow('audit as viewer, operator, archive')
  },
)

it('what a command is refused beside that is told as a right that is missing, not as a fault of ours', async () => {
  await using opened = new AsyncDisposableStack()
  const nats = await keys.connect('provider', server.url)
  opened.defer(() => nats.close())
  const refused: unknown = await nats.request('$JS.API.STREAM.LIST').catch((error: unknown) => error)
  expect(explain(refused)).toMatch(/^this user may not use \$JS\.API\.STREAM\.LIST; connect as one who may/)
})
