import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import type { PartitionRecord } from '../../../src/consume/ordered/partition-record.ts'
import type { PartitionStore, StoredRecord } from '../../../src/consume/ordered/partition-store.ts'
import { RecordWriter } from '../../../src/consume/ordered/record-writer.ts'
import { silentLogger } from '../../../src/observe/logger.ts'

const claimed: StoredRecord = {
  record: { epoch: 1, fence: 7, owner: 'a', writes: 0, read: 0, seen: 0, seenAt: '', running: [], open: [] },
  revision: 1,
}

type Line = { name: string; items: string[]; leftUpTo: number }

/** The server's side of one record: compare-and-set, no records with more than ten keys, and answers that get lost. */
function bucket(): { store: PartitionStore; kept: StoredRecord; losesAnswers: boolean } {
  const side = { kept: claimed, losesAnswers: false }
  const store = {
    async write(_: number, record: PartitionRecord, { revision }: { revision: number }) {
      await Promise.resolve()
      if (record.open.length > 10) throw new Error('max_payload size exceeded')
      if (revision !== side.kept.revision) return undefined
      side.kept = { record, revision: revision + 1 }
      if (side.losesAnswers) throw new Error('no answer came')
      return revision + 1
    },
    read: () => Promise.resolve(side.kept),
  }
  return Object.assign(side, { store: store as unknown as PartitionStore })
}

function writerOf(side: ReturnType<typeof bucket>): {
  writer: RecordWriter<Line>
  warned: string[]
  written: string[]
  keys: (count: number) => void
} {
  const warned: string[] = []
  const written: string[] = []
  let open: PartitionRecord['open'] = []
  const writer = new RecordWriter<Line>({
    store: side.store,
    log: { ...silentLogger, warn: (_, said) => warned.push(said) },
    partition: 3,
    claimed,
    progress: () => ({ read: 9, seen: 9, seenAt: '9', running: [], open }),
    onWritten: (lines) => written.push(...lines.map(({ name }) => name)),
    onLost: () => written.push('lost'),
  })
  const keys = (count: number): void => {
    open = Array.from({ length: count }, (_, index) => ({ from: 1, token: `k${index}` }))
  }
  return { writer, warned, written, keys }
}

const line = (name: string): Line => ({ name, items: ['next'], leftUpTo: 0 })

test('a record that cannot be written is a fault that is told once, and is over when there is less to write', async () => {
  const side = bucket()
  const { writer, warned, written, keys } = writerOf(side)
  keys(11)
  writer.settled(line('first'))
  await eventually(() => expect(writer.fault).toContain('max_payload'))
  expect(warned).toHaveLength(1)
  writer.settled(line('second'))
  keys(10)
  await eventually(() => expect(written).toEqual(['first', 'second']))
  expect([writer.fault, warned.length]).toEqual([undefined, 1])
  expect(side.kept.record.open).toHaveLength(10)
})

test('a write whose answer was lost counts only with the one after it, which says what was done since', async () => {
  const side = bucket()
  const { writer, written, keys } = writerOf(side)
  side.losesAnswers = true
  writer.settled(line('first'))
  await eventually(() => expect(side.kept.revision).toBe(2))
  side.losesAnswers = false
  keys(5)
  writer.settled(line('second'))
  await eventually(() => expect(written).toEqual(['first', 'second']))
  expect(side.kept.record.open).toHaveLength(5)
})
