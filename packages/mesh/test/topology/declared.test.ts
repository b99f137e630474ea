import { expect, test } from 'vitest'
import { declared } from '../../src/topology/declared.ts'
import { names } from '../../src/topology/names.ts'
import { stream } from '../../src/topology/stream.ts'
import { meshStream } from '../../src/topology/system.ts'

const centers = stream('CENTERS', { subjects: ['center.>'] })

test('a service needs its contracts’ streams, the mesh’s own and its lanes', () => {
  const { desired, faults } = declared(names('t'), {
    streams: [centers, centers, meshStream],
    lanesFor: 'provider',
    replicas: 3,
  })
  expect(faults).toEqual([])
  expect(desired.map(({ name, kind, replicas }) => [name, kind, replicas])).toEqual([
    ['t_CENTERS', 'events', 3],
    ['t_MESH', 'mesh', 3],
    ['t_DEAD_LETTERS', 'dead-letters', 3],
    ['t_DELAYS', 'delays', 3],
    ['KV_t_MESH_CHECKPOINTS', 'checkpoints', 3],
    ['t_LANES_PROVIDER', 'lanes', 3],
  ])
})

test('streams whose subjects overlap are named, both of them', () => {
  const clash = declared(names(''), { streams: [centers, stream('NEW', { subjects: ['center.registered'] })] })
  expect(clash.faults).toEqual([
    'streams CENTERS and NEW: subjects center.> and center.registered overlap; narrow one of them',
  ])
})

test('subjects of one stream must not overlap either', () => {
  const { faults } = declared(names(''), { streams: [stream('A', { subjects: ['a.>', 'a.b'] })] })
  expect(faults.join()).toContain('overlap')
})

test('no contract takes the mesh’s own name or subjects', () => {
  for (const def of [
    stream('MESH', { subjects: ['other.>'] }),
    stream('A', { subjects: ['lane.x.>'] }),
    stream('B', { subjects: ['dlq.>'] }),
    stream('C', { subjects: ['delay.>'] }),
    stream('D', { subjects: ['audit.>'] }),
    stream('E', { subjects: ['audit.entry.written'] }),
    stream('F', { subjects: ['ops.*.>'] }),
    stream('AUDIT', { subjects: ['other.>'] }),
    stream('DELAYS', { subjects: ['other.>'] }),
    stream('OPERATIONS', { subjects: ['other.>'] }),
  ])
    expect(declared(names(''), { streams: [def] }).faults).toHaveLength(1)
})

test('a contract may begin with a word of which the mesh has only a part', () => {
  const subjects = ['audit.created.>', 'audit.*', 'ops.deployed', 'ops.runs.>', 'status.>', 'control.>']
  expect(declared(names(''), { streams: [stream('OWN', { subjects })] }).faults).toEqual([])
  const { faults } = declared(names(''), { streams: [stream('OWN', { subjects: ['ops.>'] })] })
  expect(faults).toEqual([
    'stream OWN: subject ops.> holds ops.letter.> and ops.run.>, which is the mesh’s own; name yours one by one',
  ])
})

test('one stream declared twice and differently is a fault', () => {
  const { faults } = declared(names(''), { streams: [centers, stream('CENTERS', { subjects: ['center.*'] })] })
  expect(faults.join()).toContain('declared twice')
})
