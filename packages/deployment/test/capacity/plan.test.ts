import { days, stream } from '@malha/mesh'
import { expect, test } from 'vitest'
import { measuredConstants } from '../../src/capacity/constants.ts'
import type { LoadOptions } from '../../src/capacity/load.ts'
import { type CapacityPlan, planCapacity } from '../../src/capacity/plan.ts'

const LOAD: LoadOptions = { eventsPerSecond: 1000, bytes: 1024, retentionMs: days(7) }
const GIB = 1024 ** 3

function figure({ figures }: CapacityPlan, what: string): number {
  const found = figures.find((each) => each.what === what)
  if (!found) throw new Error(`no figure is of ${what}; there are ${figures.map((each) => each.what).join(', ')}`)
  return found.value
}

function limit({ limits }: CapacityPlan, what: string): CapacityPlan['limits'][number] {
  const found = limits.find((each) => each.what === what)
  if (!found) throw new Error(`no limit is of ${what}; there are ${limits.map((each) => each.what).join(', ')}`)
  return found
}

test('limits come with the one that is met first at the front, and each is met at the load that it says', () => {
  const plan = planCapacity({ ...LOAD, keys: 10_000_000, delayShare: 0.01, deadLetterShare: 1e-5 })
  const factors = plan.limits.map(({ factor }) => factor)
  expect(factors).toEqual([...factors].sort((a, b) => a - b))
  for (const { what, factor } of plan.limits) {
    const there = planCapacity({ ...plan.load, eventsPerSecond: LOAD.eventsPerSecond * factor })
    const { need, most } = limit(there, what)
    // What does not grow with the load is in need, too; fewer keys than events may be in a stream.
    expect(need / most, `${what} at ${factor}`).toBeCloseTo(1, 1)
  }
})

test('twice the events or twice the time take twice the disk', () => {
  const bytes = (of: Partial<LoadOptions>): number => figure(planCapacity({ ...LOAD, ...of }), 'events, a replica')
  const once = bytes({})
  expect(bytes({ eventsPerSecond: 2000 })).toBe(2 * once)
  expect(bytes({ retentionMs: days(14) })).toBe(2 * once)
  expect(bytes({ peak: 5 })).toBe(once)
})

test('a replica more is a copy more of everything, and more servers than replicas share it', () => {
  const all = (of: Partial<LoadOptions>): number => figure(planCapacity({ ...LOAD, ...of }), 'all servers')
  const each = (of: Partial<LoadOptions>): number => figure(planCapacity({ ...LOAD, ...of }), 'each server')
  expect(all({ replicas: 3 })).toBeCloseTo(3 * all({ replicas: 1 }), -3)
  expect(each({ replicas: 3, servers: 3 })).toBeCloseTo(each({ replicas: 1 }), -3)
  expect(each({ replicas: 3, servers: 6, streams: 6 })).toBeCloseTo(
    each({ replicas: 3, servers: 3, streams: 6 }) / 2,
    -3,
  )
  // One stream cannot be shared out.
  expect(each({ replicas: 3, servers: 6 })).toBeCloseTo(each({ replicas: 3, servers: 3 }), -3)
})

test('more streams raise what one stream bounds, and nothing else', () => {
  const bound = (streams: number, what: string): number => limit(planCapacity({ ...LOAD, streams }), what).factor
  for (const what of ['publishes of one stream', 'archive, which has one writer a stream'])
    expect(bound(4, what)).toBeCloseTo(4 * bound(1, what), 6)
  expect(bound(4, 'disk of ClickHouse')).toBe(bound(1, 'disk of ClickHouse'))
})

test('a peak is held by rates, memory of ids and instances', () => {
  const [calm, busy] = [1, 4].map((peak) => planCapacity({ ...LOAD, peak, handlerMs: 50 })) as [
    CapacityPlan,
    CapacityPlan,
  ]
  expect(figure(busy, 'publishes, each stream')).toBe(4 * figure(calm, 'publishes, each stream'))
  expect(figure(busy, 'ids of the duplicate window')).toBe(4 * figure(calm, 'ids of the duplicate window'))
  expect(figure(busy, 'instances, each handler')).toBeGreaterThan(3 * figure(calm, 'instances, each handler'))
})

test('instances are as many as their calls need, and not busier than they should be', () => {
  // 1000 a second of 50 ms are 50 calls at once; 16 an instance, for 70 % of the time.
  expect(figure(planCapacity({ ...LOAD, handlerMs: 50 }), 'instances, each handler')).toBe(Math.ceil(50 / 16 / 0.7))
  // A handler that does nothing costs the CPU of the mesh.
  expect(figure(planCapacity({ ...LOAD, handlerMs: 0 }), 'instances, each handler')).toBe(1)
  expect(
    figure(planCapacity({ ...LOAD, handlerMs: 0, eventsPerSecond: 200_000 }), 'instances, each handler'),
  ).toBeGreaterThan(2)
})

test('an ordered handler is bounded by its keys and its partitions, another by what may be in hand', () => {
  const ordered = { ...LOAD, ordered: true, keys: 100, handlerMs: 50 }
  // 10 a second of one key, which takes 20.
  expect(limit(planCapacity(ordered), 'one key, whose events wait for each other').factor).toBe(2)
  expect(limit(planCapacity(ordered), 'partitions of a stream').need).toBe(
    figure(planCapacity(ordered), 'instances, each handler'),
  )
  expect(figure(planCapacity(ordered), 'partitions, each stream')).toBe(32)
  const inHand = limit(planCapacity({ ...LOAD, handlerMs: 50 }), 'calls under way of one handler')
  expect(inHand).toMatchObject({ need: 50, most: 2000, factor: 40 })
})

test('streams and durables are counted as the mesh makes them', () => {
  const of = (given: Partial<LoadOptions>, what: string): number => figure(planCapacity({ ...LOAD, ...given }), what)
  // Without a key on the event's subject and on the lane; with one on the keyed subjects, too.
  expect(of({ handlers: 2, streams: 3 }, 'durables')).toBe(2 * 2 * 3)
  expect(of({ handlers: 2, streams: 3, keys: 10 }, 'durables')).toBe(3 * 2 * 3)
  expect(of({ handlers: 1, ordered: true, keys: 10 }, 'durables')).toBe(1)
  expect(of({ streams: 3 }, 'streams') - of({ streams: 1 }, 'streams')).toBe(2)
})

test('inboxes take their bucket, which all share, memory and a rate of its own, for as long as records are kept', () => {
  const inbox = (of: Partial<LoadOptions>): CapacityPlan =>
    planCapacity({ ...LOAD, handlers: 2, inboxHandlers: 1, ...of })
  const day = figure(inbox({}), 'records of inboxes')
  expect(day).toBe(1000 * 86_400 * measuredConstants.constants.inboxBytes.value)
  expect(figure(inbox({ inboxHandlers: 2, inboxKeptMs: days(2) }), 'records of inboxes')).toBe(4 * day)
  expect(limit(inbox({}), 'MESH_INBOX, which holds 1 GiB as made')).toMatchObject({ need: day, most: GIB })
  expect(limit(inbox({ inboxHandlers: 2, peak: 3 }), 'records of MESH_INBOX, one stream').need).toBe(6000)
  expect(figure(inbox({}), 'heap of a server')).toBeGreaterThan(
    figure(inbox({ inboxKeptMs: 0 }), 'heap of a server') + 1000 * 86_400 * 100,
  )
  expect(inbox({ inboxHandlers: 0 }).limits.filter(({ what }) => what.includes('MESH_INBOX'))).toEqual([])
})

test('what is replicated has raft groups, in memory too, and what is not has none', () => {
  const groups = (of: Partial<LoadOptions>): CapacityPlan => planCapacity({ ...LOAD, handlers: 4, streams: 3, ...of })
  const plan = groups({})
  expect(figure(plan, 'raft groups')).toBe(
    (figure(plan, 'streams') + figure(plan, 'durables')) * measuredConstants.constants.raftBytes.value,
  )
  expect(figure(groups({ servers: 6 }), 'raft groups')).toBe(figure(plan, 'raft groups') / 2)
  expect(groups({ replicas: 1 }).figures.map(({ what }) => what)).not.toContain('raft groups')
  expect(figure(groups({ replicas: 1 }), 'blocks just written')).toBeLessThan(figure(plan, 'blocks just written'))
})

test('what is not declared is said: a stream of 1 GiB is not enough', () => {
  const plan = planCapacity(LOAD)
  expect(figure(plan, 'maxBytes to declare, each stream')).toBeGreaterThan(GIB)
  expect(plan.figures.find(({ what }) => what.startsWith('maxBytes'))?.how).toContain(
    `${stream('X', { subjects: ['x.>'] }).maxBytes / GIB} GiB`,
  )
})

test('each figure names the constants it was computed from, with value and source', () => {
  const { figures } = planCapacity({ ...LOAD, keys: 5 })
  const stored = figures.find(({ what }) => what === 'stored')!
  expect(stored.from.map(({ name }) => name)).toEqual(['eventBytes', 'keyBytes', 'traceBytes'])
  const sum = stored.from.reduce((total, { value }) => total + value, LOAD.bytes)
  expect(stored.value).toBe(sum)
  for (const { from } of figures) for (const { source } of from) expect(source).toMatch(/\S/)
  expect(measuredConstants.constants.eventBytes.value).toBe(stored.from[0]!.value)
})

test('without an archive nothing is planned for it', () => {
  const plan = planCapacity({ ...LOAD, archiveMs: 0 })
  expect(plan.figures.filter(({ group }) => group === 'archive')).toEqual([])
  expect(plan.limits.filter(({ what }) => /archive|ClickHouse/.test(what))).toEqual([])
})
