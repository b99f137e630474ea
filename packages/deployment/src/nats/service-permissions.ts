import {
  type AnyContract,
  attemptFailed,
  breakerChanged,
  durablesOf,
  eventDurablesOf,
  eventSubjects,
  type HandlerDef,
  type HandlerDurable,
  type Names,
  publishFailed,
  type ServiceDef,
} from '@malha/mesh'
import type { Bucket } from '../buckets.ts'
import type { Uses } from '../deployment.ts'
import { api, inboxPrefixOf, type Permissions, type Rights, tidy } from './rights.ts'

export type ServicePermissionsOptions = {
  /** Of the NATS user; its inbox is named after it. */
  user: string
  names: Names
  /** Every service of the mesh: what others own is taken away where a wildcard would give it. */
  services: readonly ServiceDef[]
  uses?: Uses | undefined
  /** That it opens by itself. */
  buckets?: readonly Bucket[] | undefined
}

/**
 * The least that a service needs when its streams and buckets are there (`malha deploy provision`), with `MALHA_TOPOLOGY` as
 * `ensure`: it may make its own durables, with their own filters, and no stream. Pure.
 */
export function servicePermissions(service: ServiceDef, options: ServicePermissionsOptions): Permissions {
  const { user, names, services, uses = {}, buckets = [] } = options
  const { name, handlers, replies } = service
  const asked = Object.values(replies)
  const isOrdered = Object.values(handlers).some(({ order }) => order !== undefined)
  return {
    publish: tidy([
      ...eventRights(names, service, uses),
      ...Object.keys(handlers).flatMap((handler) => handlerRights(names, service, handler)),
      { what: 'what there is, and what it may do', subjects: [...lookRights(names, service), '$SYS.REQ.USER.INFO'] },
      {
        what: 'which handlers are paused; what it says of its contracts',
        subjects: [
          ...api(`STREAM.MSG.GET.KV_${names.bucket('HANDLERS')}`),
          ...api(`STREAM.MSG.GET.KV_${names.bucket('MESH_CONTRACTS')}`),
          `$KV.${names.bucket('MESH_CONTRACTS')}.${name}`,
        ],
      },
      ...useRights(names, uses, buckets),
    ]),
    denyPublish: isOrdered ? tidy([foreignDurables(names, service, services)]) : [],
    subscribe: tidy([
      { what: 'answers', subjects: [`${inboxPrefixOf(user)}.>`] },
      { what: 'being paused, being asked how it is', subjects: [names.control(name), names.status(name)] },
      {
        what: 'requests, and how their streams go on; tools of NATS micro',
        subjects: [
          ...asked.flatMap(({ contract }) => [names.request(contract.type), `${names.request(contract.type)}._.>`]),
          ...(asked.length > 0 ? ['$SRV.>'] : []),
        ],
      },
      {
        what: 'who has which partition',
        subjects: Object.entries(handlers).flatMap(([handler, { order }]) =>
          order ? [`$KV.${names.bucket('MESH_PARTITIONS')}.${names.durable(name, handler)}.>`] : [],
        ),
      },
    ]),
    allowResponses: asked.length > 0 ? { max: -1, expires: '1m' } : { max: 1, expires: '10s' },
  }
}

/** What it publishes itself, and what the mesh says of it. */
function eventRights(names: Names, service: ServiceDef, { spool }: Uses): Rights[] {
  const { publishes, handlers, name } = service
  const outputs = [...new Set(publishes.map(({ stream }) => stream))]
  const isOnce = Object.values(handlers).some(({ effects }) => effects === 'once')
  return [
    { what: 'its events', subjects: publishes.flatMap((contract) => eventSubjects(names, contract)) },
    {
      what: 'whether one is stored already',
      subjects: outputs.flatMap((stream) => api(`STREAM.MSG.GET.${names.stream(stream)}`)),
    },
    {
      what: 'markers of handled messages, stored with their outputs',
      subjects: isOnce ? outputs.map((def) => names.doneMarkers(def).replace(/>$/, `${name}.>`)) : [],
    },
    {
      what: 'what the mesh says of it',
      subjects: [attemptFailed, breakerChanged].flatMap((contract) => eventSubjects(names, contract)),
    },
    {
      what: 'events of its spool that are refused for good',
      subjects: spool ? [names.subject('dlq._spool.>'), ...eventSubjects(names, publishFailed)] : [],
    },
  ]
}

function handlerRights(names: Names, service: ServiceDef, handler: string): Rights[] {
  const def = service.handlers[handler]!
  const { name } = service
  const durable = names.durable(name, handler)
  const event = names.stream(def.source.stream)
  const lanes = names.lanes(name)
  return [
    { what: `handler ${handler}: its durables`, subjects: durablesOf(names, service, handler).flatMap(durableRights) },
    {
      what: `handler ${handler}: its retries, its dead letters, and that one was done after all`,
      subjects: [
        `${names.laneOf(name, handler)}>`,
        `${names.laneNotes(name, handler)}>`,
        ...api(`STREAM.PURGE.${lanes}`, `STREAM.MSG.GET.${lanes}`, `STREAM.MSG.GET.${event}`),
        names.subject(`dlq.${durable}.>`),
        ...api(`DIRECT.GET.${names.stream('DEAD_LETTERS')}.${names.subject(`dlq.${durable}.>`)}`),
        ...api(`STREAM.MSG.GET.${names.operations()}`),
        names.letterRecord(`dlq.${durable}.>`),
        names.subject(`ops.run.${durable}.>`),
      ],
    },
    { what: `handler ${handler}: its checkpoints`, subjects: checkpointRights(names, name, handler, def) },
    { what: `handler ${handler}: order by key`, subjects: def.order ? orderRights(names, name, handler, def) : [] },
    {
      what: `handler ${handler}: its inbox`,
      subjects: def.inbox
        ? [`$KV.${names.bucket('MESH_INBOX')}.${name}.>`, ...api(`STREAM.MSG.GET.KV_${names.bucket('MESH_INBOX')}`)]
        : [],
    },
  ]
}

/** The filter stands in the subject by which it is made, so it can be made with this filter and no other. */
const durableRights = ({ stream, name, filters }: HandlerDurable): string[] => [
  // The client names all of a stream by leaving the filter out.
  ...filters.flatMap((filter) => api(`CONSUMER.CREATE.${stream}.${name}${filter === '>' ? '' : `.${filter}`}`)),
  ...api(`CONSUMER.INFO.${stream}.${name}`, `CONSUMER.MSG.NEXT.${stream}.${name}`, `CONSUMER.RESET.${stream}.${name}`),
  `$JS.ACK.${stream}.${name}.>`,
]

function checkpointRights(names: Names, service: string, handler: string, def: HandlerDef): string[] {
  const bucket = names.bucket('MESH_CHECKPOINTS')
  const keys = eventDurablesOf(def).map(({ part }) => `$KV.${bucket}.${names.durable(service, handler, part)}`)
  return keys.flatMap((key) => [...api(`DIRECT.GET.KV_${bucket}.${key}`), key])
}

/** The consumers it reads by have random names, so that an overtaken owner cannot take events away from the next one. */
function orderRights(names: Names, service: string, handler: string, def: HandlerDef): string[] {
  const stream = names.stream(def.source.stream)
  const partitions = `KV_${names.bucket('MESH_PARTITIONS')}`
  const letters = def.onDeadLetter === 'hold-key' ? api(`STREAM.MSG.GET.${names.stream('DEAD_LETTERS')}`) : []
  return [
    `$KV.${names.bucket('MESH_PARTITIONS')}.${names.durable(service, handler)}.>`,
    ...api(`DIRECT.GET.${partitions}`, `STREAM.MSG.GET.${partitions}`, `STREAM.PURGE.${partitions}`),
    ...api(...['CREATE', 'MSG.NEXT', 'INFO', 'DELETE'].map((call) => `CONSUMER.${call}.${stream}.*`)),
    ...letters,
  ]
}

/** Durables of others on the streams where it may name any consumer. */
function foreignDurables(names: Names, service: ServiceDef, services: readonly ServiceDef[]): Rights {
  const ordered = Object.values(service.handlers).filter(({ order }) => order !== undefined)
  const streams = new Set(ordered.map(({ source }) => names.stream(source.stream)))
  const others = services.filter(({ name }) => name !== service.name).flatMap((one) => allDurablesOf(names, one))
  return {
    what: 'durables of others on the streams whose consumers it may name itself',
    subjects: others.filter(({ stream }) => streams.has(stream)).flatMap(consumerCalls),
  }
}

/** Of all handlers of a service. */
export const allDurablesOf = (names: Names, service: ServiceDef): HandlerDurable[] =>
  Object.keys(service.handlers).flatMap((handler) => durablesOf(names, service, handler))

/** All that could harm a durable, or take from it. */
export const consumerCalls = ({ stream, name }: Pick<HandlerDurable, 'stream' | 'name'>): string[] =>
  api(...['CREATE', 'MSG.NEXT', 'DELETE'].map((call) => `CONSUMER.${call}.${stream}.${name}`))

/** Streams it compares with their declarations, and whose consumers it looks through for durables that were left behind. */
function lookRights(names: Names, { name, handlers, publishes }: ServiceDef): string[] {
  const defs = Object.values(handlers)
  const handled = defs.map(({ source }) => names.stream(source.stream))
  const buckets = [
    'MESH_CHECKPOINTS',
    ...(defs.some(({ order }) => order) ? ['MESH_PARTITIONS'] : []),
    ...(defs.some(({ inbox }) => inbox) ? ['MESH_INBOX'] : []),
  ]
  const streams = [
    ...handled,
    ...publishes.map(({ stream }) => names.stream(stream)),
    ...['MESH', 'DEAD_LETTERS'].map((stream) => names.stream(stream)),
    names.delays(),
    names.lanes(name),
    ...buckets.map((bucket) => `KV_${names.bucket(bucket)}`),
  ]
  return [
    ...api('INFO', ...streams.map((stream) => `STREAM.INFO.${stream}`)),
    ...api(...[...handled, names.lanes(name)].map((stream) => `CONSUMER.LIST.${stream}`)),
    // Whether something that is due has nobody who brings it.
    ...api(`CONSUMER.NAMES.${names.delays()}`),
  ]
}

/** What no definition of a service says. */
function useRights(names: Names, { asks = [], delays = [], reads = [] }: Uses, buckets: readonly Bucket[]): Rights[] {
  return [
    {
      what: 'requests of others',
      subjects: asks.flatMap(({ type }) => [names.request(type), `${names.request(type)}._.>`]),
    },
    { what: 'events for later', subjects: delays.flatMap((contract) => delayRights(names, contract)) },
    { what: 'its own buckets', subjects: buckets.flatMap(({ name }) => bucketRights(names, name)) },
    {
      what: 'streams that it reads back',
      subjects: reads
        .map((def) => names.stream(def))
        .flatMap((stream) => api(`STREAM.INFO.${stream}`, `STREAM.MSG.GET.${stream}`, `DIRECT.GET.${stream}`)),
    },
  ]
}

function delayRights(names: Names, { type, stream }: AnyContract): string[] {
  const delays = names.delays()
  const durable = { stream: delays, name: names.delayDurable(type), filters: [names.delayDue(type)] }
  return [
    names.delayWaiting(type, '*', '*'),
    ...api(`STREAM.INFO.${delays}`, `STREAM.MSG.GET.${delays}`, `CONSUMER.NAMES.${delays}`),
    ...durableRights(durable),
    names.subject('dlq.malha_delays.>'),
    ...api(`STREAM.INFO.${names.stream(stream)}`, `STREAM.MSG.GET.${names.stream(stream)}`),
  ]
}

const bucketRights = (names: Names, name: string): string[] => {
  const bucket = names.bucket(name)
  return [`$KV.${bucket}.>`, ...api(`STREAM.INFO.KV_${bucket}`, `STREAM.MSG.GET.KV_${bucket}`)]
}
