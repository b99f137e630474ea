import { auditStream, eventSubjects, meshStream, type Names, type ServiceDef, type StreamDef } from '@malha/mesh'
import type { Tool, Uses } from '../deployment.ts'
import { PEOPLE } from './people.ts'
import { api, inboxPrefixOf, type Permissions, type Rights, tidy } from './rights.ts'
import { allDurablesOf, consumerCalls } from './service-permissions.ts'

/** Whoever is no service: a tool of the mesh, or a person at a terminal. */
export type Role = Tool | (typeof PEOPLE)[number]

type Place = {
  readonly names: Names
  readonly services: readonly ServiceDef[]
  readonly uses?: Uses | undefined
}

/** The least that a tool or a person needs. `user` names its inbox. Pure. */
export function rolePermissions(role: Role, user: string, place: Place): Permissions {
  return {
    publish: tidy(RIGHTS[role](place)),
    denyPublish: role === 'archive' ? tidy([durablesOfServices(place)]) : [],
    subscribe: tidy([
      { what: 'answers', subjects: [`${inboxPrefixOf(user)}.>`] },
      { what: 'events as they are published', subjects: PEOPLE.some((one) => one === role) ? eventsOf(place) : [] },
    ]),
  }
}

/** Subjects of the streams of events, which people may read anyway. */
const eventsOf = ({ names, services }: Place): string[] =>
  [...eventStreams(services), meshStream].flatMap(({ subjects }) => subjects.map((subject) => names.subject(subject)))

const eventStreams = (services: readonly ServiceDef[]): StreamDef[] =>
  services.flatMap(({ handlers, publishes }) => [
    ...Object.values(handlers).map(({ source }) => source.stream),
    ...publishes.map(({ stream }) => stream),
  ])

const RIGHTS: Readonly<Record<Role, (place: Place) => Rights[]>> = {
  viewer: lookRights,
  operator: (place) => [...lookRights(place), ...actRights(place)],
  console: (place) => [...lookRights(place), ...actRights(place), ...sendRights(place)],
  notifier: notifyRights,
  archive: archiveRights,
  provision: provisionRights,
}

/** Nothing here changes anything on the server. */
function lookRights({ names }: Place): Rights[] {
  return [
    {
      what: 'looking',
      subjects: [
        ...api('INFO', 'STREAM.LIST', 'STREAM.INFO.*', 'CONSUMER.LIST.*', 'CONSUMER.INFO.*.*'),
        ...api('STREAM.MSG.GET.*', 'DIRECT.GET.*', 'DIRECT.GET.*.>'),
      ],
    },
    { what: 'how instances are', subjects: [names.status('*')] },
    { what: 'what one may do', subjects: ['$SYS.REQ.USER.INFO'] },
  ]
}

/** Dead letters, runs, pauses: each act is written down first. No stream is made, deleted or purged. */
function actRights({ names }: Place): Rights[] {
  return [
    { what: 'who did what', subjects: auditStream.subjects.map((subject) => names.subject(subject)) },
    { what: 'what became of letters; runs', subjects: [`${names.letterRecords()}>`, `$KV.${names.bucket('RUNS')}.>`] },
    { what: 'pausing handlers', subjects: [`$KV.${names.bucket('HANDLERS')}.>`, names.control('*')] },
    { what: 'sending again, to one handler', subjects: [names.laneTarget('*', '*'), `${names.laneOfKeys('*', '*')}>`] },
  ]
}

/** Whatever a service handles or publishes. */
function sendRights({ names, services, uses }: Place): Rights[] {
  if (uses?.sendsEvents !== true) return []
  const contracts = services.flatMap(({ handlers, publishes }) => [
    ...Object.values(handlers).flatMap(({ source }) => (source.kind === 'topic' ? [] : [source])),
    ...publishes,
  ])
  return [{ what: 'events by hand', subjects: contracts.flatMap((contract) => eventSubjects(names, contract)) }]
}

function notifyRights({ names }: Place): Rights[] {
  const bucket = names.bucket('NOTIFICATIONS')
  const read = [names.stream('DEAD_LETTERS'), names.stream('MESH')]
  return [
    {
      what: 'looking',
      subjects: [
        ...api('INFO', 'STREAM.LIST', 'STREAM.INFO.*', 'CONSUMER.LIST.*', 'STREAM.MSG.GET.*'),
        ...api(...read.map((stream) => `DIRECT.GET.${stream}`)),
      ],
    },
    { what: 'how instances are', subjects: [names.status('*')] },
    { what: 'what was told', subjects: [`$KV.${bucket}.>`] },
  ]
}

/** Streams with events; the consumers it reads by have random names. */
const archived = ({ names, services }: Place): string[] => [
  ...new Set([...eventStreams(services), 'MESH', 'DEAD_LETTERS', 'AUDIT'].map((stream) => names.stream(stream))),
  names.operations(),
]

function archiveRights(place: Place): Rights[] {
  const bucket = place.names.bucket('ARCHIVE_LEASES')
  return [
    { what: 'what there is', subjects: api('INFO', 'STREAM.LIST', 'STREAM.INFO.*', 'CONSUMER.LIST.*') },
    {
      what: 'reading events, through consumers that the server names and removes',
      subjects: archived(place).flatMap((stream) =>
        api(`CONSUMER.CREATE.${stream}`, `CONSUMER.MSG.NEXT.${stream}.*`, `CONSUMER.DELETE.${stream}.*`),
      ),
    },
    {
      what: 'comparing what is archived with what is there',
      subjects: archived(place).flatMap((stream) => api(`STREAM.MSG.GET.${stream}`, `DIRECT.GET.${stream}`)),
    },
    {
      what: 'what waits on lanes, and where partitions are',
      subjects: [
        ...place.services.flatMap(({ name }) => api(`STREAM.MSG.GET.${place.names.lanes(name)}`)),
        ...api(`STREAM.MSG.GET.KV_${place.names.bucket('MESH_PARTITIONS')}`),
      ],
    },
    {
      what: 'who writes which stream',
      subjects: [`$KV.${bucket}.>`, ...api(`STREAM.MSG.GET.KV_${bucket}`)],
    },
  ]
}

function durablesOfServices(place: Place): Rights {
  const streams = new Set(archived(place))
  const durables = place.services.flatMap((service) => allDurablesOf(place.names, service))
  return {
    what: 'the durables of services',
    subjects: durables.filter(({ stream }) => streams.has(stream)).flatMap(consumerCalls),
  }
}

/** Makes and changes what is declared, and removes nothing. */
function provisionRights({ names }: Place): Rights[] {
  const checkpoints = names.bucket('MESH_CHECKPOINTS')
  const partitions = names.bucket('MESH_PARTITIONS')
  return [
    {
      what: 'streams and buckets',
      subjects: api('INFO', 'STREAM.INFO.*', 'STREAM.NAMES', 'STREAM.CREATE.*', 'STREAM.UPDATE.*'),
    },
    {
      what: 'durables of handlers',
      subjects: api('CONSUMER.INFO.*.*', 'CONSUMER.LIST.*', 'CONSUMER.CREATE.*.*', 'CONSUMER.CREATE.*.*.>'),
    },
    {
      what: 'where durables and partitions begin; one at a time changes a stream',
      subjects: [
        ...api(`DIRECT.GET.KV_${checkpoints}.>`, `STREAM.MSG.GET.KV_${partitions}`, `DIRECT.GET.KV_${partitions}`),
        `$KV.${checkpoints}.>`,
        `$KV.${partitions}.>`,
      ],
    },
  ]
}
