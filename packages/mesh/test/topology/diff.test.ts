import { DiscardPolicy, RetentionPolicy, type StreamConfig } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { assert, integer, property } from 'fast-check'
import { expect, test } from 'vitest'
import { days, hours } from '../../src/durations.ts'
import { diffStream } from '../../src/topology/diff.ts'
import { names } from '../../src/topology/names.ts'
import { stream, type StreamOptions } from '../../src/topology/stream.ts'
import { deadLetterStream, type DesiredStream, eventStream, laneStream } from '../../src/topology/system.ts'

const MIB = 1024 ** 2
const DONE = 't._done.CENTERS.>'

const desired = (options: Partial<StreamOptions> = {}, replicas?: number): DesiredStream =>
  eventStream(names('t'), stream('CENTERS', { subjects: ['center.>'], ...options }), replicas)

/** What a server says of a stream made from `from`: our settings, its own defaults and its own metadata. */
function onServer(from: DesiredStream, more: Partial<StreamConfig> = {}): StreamConfig {
  const defaults = {
    name: from.name,
    num_replicas: from.replicas ?? 1,
    sealed: false,
    deny_delete: false,
    compression: 'none',
    max_msg_size: -1,
    consumer_limits: {},
  }
  const metadata = { ...from.metadata, '_nats.ver': '2.15.1', '_nats.level': '5', ...more.metadata }
  return { ...defaults, ...from.config, ...more, metadata } as StreamConfig
}

test('a stream as declared is the same, whatever the server adds to it', () => {
  for (const one of [desired(), deadLetterStream(names('t')), laneStream(names('t'), 'provider')])
    expect(diffStream(one, onServer(one, { compression: 's2', description: 'by hand' }))).toEqual({
      kind: 'same',
      notes: [],
    })
})

test('a newer revision changes all that can be changed, and nothing else', () => {
  const diff = diffStream(
    desired({ revision: 2, maxAgeMs: hours(1), maxBytes: MIB, subjects: ['center.*', 'depot.>'] }),
    onServer(desired({ maxAgeMs: days(2) })),
  )
  expect(diff).toMatchObject({
    kind: 'update',
    changes: { max_age: nanos(hours(1)), max_bytes: MIB, subjects: ['t.center.*', 't.depot.>', DONE] },
  })
  expect(Object.keys(diff.kind === 'update' ? diff.changes : {}).sort()).toEqual([
    'max_age',
    'max_bytes',
    'metadata',
    'subjects',
  ])
  expect(diff.kind === 'update' && diff.changes.metadata).toMatchObject({ 'malha.revision': '2' })
})

test('an older revision never changes a stream; it says so', () => {
  const diff = diffStream(desired({ revision: 1, maxBytes: 99 * MIB }), onServer(desired({ revision: 3 })))
  expect(diff.kind).toBe('same')
  expect(diff.kind === 'same' && diff.notes.join()).toMatch(/revision 3.*revision|revision 3.*at 1/)
})

test('at the same revision a stream may grow', () => {
  const diff = diffStream(
    desired({ maxBytes: 2 * MIB, subjects: ['center.>', 'depot.>'] }),
    onServer(desired({ maxBytes: MIB })),
  )
  expect(diff).toMatchObject({
    kind: 'update',
    changes: { max_bytes: 2 * MIB, subjects: ['t.center.>', 't.depot.>', DONE] },
  })
})

test('a stream from before there were done-markers gets their subject at its own revision', () => {
  const diff = diffStream(desired(), onServer(desired(), { subjects: ['t.center.>'] }))
  expect(diff).toMatchObject({ kind: 'update', changes: { subjects: ['t.center.>', DONE] } })
  expect(diff.kind === 'update' && Object.keys(diff.changes)).toEqual(['subjects'])
})

test('what a later release of the library keeps in a stream is left there, at any revision', () => {
  const later = { subjects: ['t.center.>', DONE, 't._later.CENTERS.>'] }
  expect(diffStream(desired(), onServer(desired(), later)).kind).toBe('same')
  const diff = diffStream(desired({ revision: 2, subjects: ['center.*'] }), onServer(desired(), later))
  expect(diff).toMatchObject({ kind: 'update', changes: { subjects: ['t.center.*', DONE, 't._later.CENTERS.>'] } })
})

test('at the same revision shrinking is a fault that names the way out', () => {
  const diff = diffStream(
    desired({ maxBytes: MIB, maxAgeMs: hours(1), subjects: ['center.registered'] }),
    onServer(desired()),
  )
  expect(diff.kind).toBe('faults')
  const faults = diff.kind === 'faults' ? diff.faults : []
  expect(faults).toHaveLength(3)
  for (const fault of faults) expect(fault).toContain('raise its revision above 1')
  expect(faults.join('\n')).toContain('3600000 ms')
})

test('two declarations of one revision settle, whichever starts last', () => {
  assert(
    property(integer({ min: 1, max: 100 }), integer({ min: 1, max: 100 }), (a, b) => {
      const [one, other] = [desired({ maxBytes: a * MIB }), desired({ maxBytes: b * MIB })]
      const updates = [diffStream(one, onServer(other)), diffStream(other, onServer(one))].filter(
        ({ kind }) => kind === 'update',
      )
      expect(updates).toHaveLength(a === b ? 0 : 1)
    }),
  )
})

test.each([
  ['a stream of another owner', { metadata: { 'malha.owner': 'billing' } }, /belongs to "billing"/],
  ['another retention', { retention: RetentionPolicy.Workqueue }, /retention is workqueue/],
  ['another number of partitions', { metadata: { 'malha.partitions': '32' } }, /partitions is 32/],
  ['a format of a newer release', { metadata: { 'malha.format': '2' } }, /newer release/],
])('%s is a fault, also for a newer revision', (_, more, message) => {
  for (const revision of [1, 9]) {
    const diff = diffStream(desired({ revision }), onServer(desired(), more))
    expect(diff.kind === 'faults' && diff.faults.join()).toMatch(message)
  }
})

test('a mirror, which has no subjects, is a fault; a stream that sources another is left as it is', () => {
  const one = desired()
  const { subjects: _, ...mirror } = onServer(one, { mirror: { name: 'CENTERS' } })
  expect(diffStream(one, mirror as StreamConfig)).toEqual({
    kind: 'faults',
    faults: [expect.stringContaining('it mirrors CENTERS, and a mirror takes nothing of its own')],
  })
  const sources = [{ name: 'CENTERS', subject_transforms: [{ src: 'center.>', dest: 't.center.>' }] }]
  expect(diffStream(one, onServer(one, { sources }))).toEqual({ kind: 'same', notes: [] })
})

test('a stream the mesh did not make is a fault', () => {
  const { metadata: _, ...foreign } = onServer(desired())
  const diff = diffStream(desired(), foreign)
  expect(diff.kind === 'faults' && diff.faults.join()).toContain('malha.owner')
})

test('an event that could be evicted is put right at any revision', () => {
  const diff = diffStream(desired(), onServer(desired(), { discard: DiscardPolicy.Old, max_msgs_per_subject: 1 }))
  expect(diff).toMatchObject({ kind: 'update', changes: { discard: 'new', max_msgs_per_subject: -1 } })
})

test('room an operator gave the dead letters is kept', () => {
  const letters = deadLetterStream(names('t'))
  const diff = diffStream(letters, onServer(letters, { max_bytes: 10 * letters.config.max_bytes }))
  expect(diff.kind).toBe('same')
  expect(diff.kind === 'same' && diff.notes.join()).toContain('left as it is')
})

test('replicas are raised when asked for, kept when not, and lowered by a new revision only', () => {
  const three = onServer(desired({}, 3))
  expect(diffStream(desired(), three).kind).toBe('same')
  expect(diffStream(desired({}, 1), three).kind).toBe('same')
  expect(diffStream(desired({}, 3), onServer(desired()))).toMatchObject({ changes: { num_replicas: 3 } })
  expect(diffStream(desired({ revision: 2 }, 1), three)).toMatchObject({ changes: { num_replicas: 1 } })
})
