import { allows, askUserInfo, type Mesh, type Names, type UserInfo } from '@malha/mesh'
import type { StreamInfo } from '@nats-io/jetstream'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn } = findingsOf('permissions')
const ASK_MS = 5000

/** What somebody may want to do, and the subjects it takes to publish on. */
type Task = { readonly task: string; readonly isLooking: boolean; readonly subjects: readonly string[] }

/**
 * What this user may do of what people do with a mesh, as the server tells its rights: nothing is tried. Needs
 * `$SYS.REQ.USER.INFO`.
 */
export async function checkPermissions({ nats, names }: Mesh, streams: readonly StreamInfo[]): Promise<Finding[]> {
  return permissionFindings(await askUserInfo(nats, ASK_MS), tasksOf(names, streams))
}

/** Pure. To look is what `doctor` itself is for; whoever only looks needs no more. */
export function permissionFindings({ user, permissions }: UserInfo, tasks: readonly Task[]): Finding[] {
  const rights = permissions?.publish ?? {}
  const about = user === undefined || user === '' ? 'this user' : `user ${user}`
  const found = tasks.map(({ task, isLooking, subjects }) => {
    const missing = subjects.filter((subject) => !allows(rights, subject))
    if (missing.length === 0) return { may: task }
    const fix = `to let it: allow publish on ${missing.join(', ')}`
    return { not: (isLooking ? warn : ok)(about, `may not ${task}`, fix) }
  })
  const may = found.flatMap((one) => one.may ?? [])
  return [...(may.length > 0 ? [ok(about, `may ${may.join(', ')}`)] : []), ...found.flatMap((one) => one.not ?? [])]
}

export function tasksOf(names: Names, streams: readonly StreamInfo[]): Task[] {
  const letters = names.stream('DEAD_LETTERS')
  const records = names.operations()
  const runs = `KV_${names.bucket('RUNS')}`
  const contracts = `KV_${names.bucket('MESH_CONTRACTS')}`
  const events = streams.filter(({ config }) => config.metadata?.['malha.kind'] === 'events')
  const read = (stream: string): string[] => [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
  ]
  return [
    {
      task: 'look at streams and consumers',
      isLooking: true,
      subjects: ['$JS.API.INFO', '$JS.API.STREAM.LIST', '$JS.API.STREAM.INFO.*', '$JS.API.CONSUMER.LIST.*'],
    },
    { task: 'look at dead letters', isLooking: true, subjects: [...read(letters), ...read(records)] },
    {
      task: 'look at contracts',
      isLooking: true,
      subjects: [`$JS.API.STREAM.INFO.${contracts}`, `$JS.API.STREAM.MSG.GET.${contracts}`],
    },
    { task: 'ask instances how they are', isLooking: true, subjects: [names.status('*')] },
    {
      task: 'publish events',
      isLooking: false,
      subjects: events.flatMap(({ config }) => config.subjects.filter((one) => !one.includes('_done.'))),
    },
    {
      task: 'send letters again and discard them',
      isLooking: false,
      subjects: [
        names.subject('lane.>'),
        names.subject('ops.letter.>'),
        names.subject('ops.run.>'),
        `$KV.${names.bucket('RUNS')}.>`,
        ...read(runs).slice(0, 2),
      ],
    },
    { task: 'make streams', isLooking: false, subjects: ['$JS.API.STREAM.CREATE.*', '$JS.API.STREAM.UPDATE.*'] },
  ]
}
