import { type ConsumerConfig, DeliverPolicy } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, event, type Topic, topic } from '../../src/message/contract.ts'
import { on } from '../../src/service/define.ts'
import { diffConsumer, eventConsumer, filtersOf, laneConsumer, startAt } from '../../src/topology/consumer-config.ts'
import { eventDurablesOf } from '../../src/topology/event-durables.ts'
import { names } from '../../src/topology/names.ts'
import { stream } from '../../src/topology/stream.ts'

const centers = stream('CENTERS', { subjects: ['center.>'] })
const jobs = stream('JOBS', { subjects: ['job.>'] })
const schema = z.object({ centerId: z.string() })
const plain = event('center.audited', { stream: centers, schema })
const keyed = event('center.registered', { stream: centers, schema, key: ({ centerId }) => centerId })
const def = on(keyed, { concurrency: 16 }, () => undefined)
const whose = { service: 'provider', handler: 'senninha', def }

test('filters are the type, and its keyed form where there is one', () => {
  expect(filtersOf(plain)).toEqual(['center.audited'])
  expect(filtersOf(keyed)).toEqual(['center.registered', 'center.registered.*.*'])
})

test('a durable of a contract has one filter, and the main one stays as it is when a key or priorities are given', () => {
  const parts = (options: object): unknown =>
    eventDurablesOf(on(command('job.run', { stream: jobs, schema: z.object({}), ...options }), () => undefined)).map(
      ({ part, filters }) => [part, ...filters],
    )
  const key = (): string => 'k'
  expect(parts({})).toEqual([[undefined, 'job.run']])
  expect(parts({ key })).toEqual([
    [undefined, 'job.run'],
    ['keyed', 'job.run.*.*'],
  ])
  const urgent = [
    ['high', 'job.run._high'],
    ['low', 'job.run._low'],
  ]
  expect(parts({ priorities: true })).toEqual([[undefined, 'job.run'], ...urgent])
  expect(parts({ key, priorities: true })).toEqual([
    [undefined, 'job.run'],
    ...urgent,
    ['keyed', 'job.run.*.*'],
    ['high_keyed', 'job.run._high.*.*'],
    ['low_keyed', 'job.run._low.*.*'],
  ])
})

test('a topic has one filter a durable, which holds plain and keyed subjects of its types', () => {
  const parts = (source: Topic): unknown[] =>
    eventDurablesOf(on(source, () => undefined)).map(({ part, filters }) => [part, filters.join()])
  expect(parts(topic(centers, 'center.*'))).toEqual([[undefined, 'center.>']])
  expect(parts(topic(centers, 'center.>'))).toEqual([[undefined, 'center.>']])
  expect(parts(topic(centers, 'center.*.done'))).toEqual([
    [undefined, 'center.*.done'],
    ['keyed', 'center.*.done.>'],
  ])
  expect(parts(topic(stream('FLAT', { subjects: ['flat.*'] }), 'flat.a'))).toEqual([[undefined, 'flat.a']])
  expect(parts(topic(centers, '>'))).toEqual([[undefined, 'center.>']])
  expect(parts(topic(stream('TWO', { subjects: ['one.>', 'two.>'] }), '>'))).toEqual([[undefined, '>']])
})

test('max_ack_pending has room for twenty instances, and is never below the server’s default', () => {
  expect(eventConsumer(names(''), { ...whose, filters: ['center.registered'] }).max_ack_pending).toBe(2000)
  const wide = { ...whose, filters: ['center.registered'], def: on(keyed, { concurrency: 100 }, () => undefined) }
  expect(eventConsumer(names(''), wide).max_ack_pending).toBe(12_000)
})

test('a stream without history is read from its start; on one with history the handler’s word counts', () => {
  expect(startAt(undefined, 0)).toEqual({ deliver_policy: DeliverPolicy.All })
  expect(startAt('new', 0)).toEqual({ deliver_policy: DeliverPolicy.All })
  expect(startAt('new', 7)).toEqual({ deliver_policy: DeliverPolicy.New })
  expect(startAt('all', 7)).toEqual({ deliver_policy: DeliverPolicy.All })
  expect(startAt(new Date(0), 7)).toEqual({
    deliver_policy: DeliverPolicy.StartTime,
    opt_start_time: '1970-01-01T00:00:00.000Z',
  })
})

test('an equal durable is left alone; backoff, another ack_wait or filter are changed', () => {
  const desired = eventConsumer(names(''), { ...whose, filters: ['center.registered'] })
  const same = { ...desired, metadata: { ...desired.metadata, '_nats.ver': '2.15.1' } } as unknown as ConsumerConfig
  expect(diffConsumer(desired, same).changes).toBeUndefined()
  const other = { ...same, ack_wait: 1, backoff: [1], filter_subjects: ['center.>'], max_ack_pending: 9000 }
  expect(diffConsumer(desired, other)).toMatchObject({
    changes: {
      ack_wait: desired.ack_wait,
      backoff: [],
      filter_subject: 'center.registered',
      filter_subjects: undefined,
    },
  })
  expect(diffConsumer(desired, other).changes).not.toHaveProperty('max_ack_pending')
})

test('a lane durable remembers every stream its handler ever read', () => {
  const desired = laneConsumer(names('t'), whose)
  const before = {
    ...desired,
    metadata: { ...desired.metadata, 'malha.streams': 't_OLD' },
  } as unknown as ConsumerConfig
  expect(diffConsumer(desired, before).changes?.metadata).toMatchObject({ 'malha.streams': 't_OLD t_CENTERS' })
})
