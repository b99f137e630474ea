import { DiscardPolicy, type StreamInfo } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import type { MeshStream } from '../../src/streams/mesh-streams.ts'
import { type Headroom, viewOf } from '../../src/streams/streams.ts'

const HOUR = 3_600_000

type Given = { bytes?: number; discard?: DiscardPolicy; cluster?: Partial<NonNullable<StreamInfo['cluster']>> }

function streamWith({ bytes = 0, discard = DiscardPolicy.New, cluster }: Given): MeshStream {
  const config = { name: 'ORDERS', max_bytes: 1000, max_age: HOUR * 1e6, discard, num_replicas: 1 }
  const state = { messages: 1, bytes, first_seq: 1, last_seq: 1, first_ts: '', last_ts: '', consumer_count: 0 }
  return {
    kind: 'events',
    name: 'ORDERS',
    info: { config, state, ...(cluster && { cluster }) } as unknown as StreamInfo,
  }
}
const left = (leftMs: number): Headroom => ({ durable: 'shop_bill', seq: 1, storedAt: '', leavesAt: '', leftMs })

test('a stream is nearly full above 70 %, unless it drops its oldest', () => {
  expect(viewOf(streamWith({ bytes: 700 }), undefined).alarms).toEqual([])
  expect(viewOf(streamWith({ bytes: 701 }), undefined).alarms).toEqual(['size'])
  expect(viewOf(streamWith({ bytes: 999, discard: DiscardPolicy.Old }), undefined).alarms).toEqual([])
})

test('headroom is low when 70 % of the age are over', () => {
  expect(viewOf(streamWith({}), left(HOUR * 0.31)).alarms).toEqual([])
  expect(viewOf(streamWith({}), left(HOUR * 0.29)).alarms).toEqual(['age'])
})

test('a replica that is behind, and a stream without a leader, are told', () => {
  const replica = (over: object) => ({ name: 'n2', current: true, offline: false, active: 0, lag: 0, ...over }) as never
  expect(viewOf(streamWith({ cluster: { leader: 'n1', replicas: [replica({})] } }), undefined).alarms).toEqual([])
  const behind = viewOf(streamWith({ cluster: { leader: 'n1', replicas: [replica({ current: false })] } }), undefined)
  expect(behind).toMatchObject({ alarms: ['replicas'], laggards: ['n2'], leader: 'n1' })
  expect(viewOf(streamWith({ cluster: { replicas: [replica({})] } }), undefined).alarms).toEqual(['replicas'])
})
