import { openOperations } from '@malha/operations'
import { eventually, faultProxy, testMesh } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, it } from 'vitest'
import { type IndexReader, indexReader } from '../../src/live/index-reader.ts'
import { placed, shop, withDeadOrders } from '../shop.ts'

/** Longer than anything here takes: how far a read is within its time is not asked. */
const PATIENTLY_MS = 60_000
/** What the broker says is told so late that there is time to hold it. */
const LATE_MS = 100

type ReadHeld = AsyncDisposable & {
  index: IndexReader
  first: ReturnType<IndexReader['read']>
  /** How many letters the index has. */
  known: () => number
  /** Resolves when so many reads were begun, and the last one is held. */
  untilHeld: (reads: number) => Promise<void>
  goOn: () => void
}

/** An index of one letter whose first read is held where it has read the letters that are there, as is each after it; then comes another letter. */
async function readHeld(): Promise<ReadHeld> {
  await using opened = new AsyncDisposableStack()
  const test = opened.use(await testMesh())
  const { mesh, nats } = test
  await withDeadOrders(mesh, ['no room'])
  await mesh.start(shop())
  const proxy = opened.use(await faultProxy({ target: test.url }))
  const console = await test.connect({ servers: proxy.url, topology: 'none' })
  const { letters } = opened.use(await openOperations(console))
  let begun = 0
  // What was done with the letters is read behind them.
  nats.subscribe(`$JS.API.STREAM.INFO.${mesh.names.operations()}`, {
    callback() {
      begun += 1
      proxy.stall('toClient')
    },
  })
  await nats.flush()
  proxy.delay(LATE_MS, 'toClient')
  const jsm = await jetstreamManager(nats)
  const index = indexReader(console, letters)
  const first = index.read(PATIENTLY_MS)
  const untilHeld = (reads: number): Promise<void> => eventually(() => expect(begun).toBe(reads))
  await untilHeld(1)
  await mesh.publish(placed, { n: 'o-2', why: 'no room' })
  const stream = mesh.names.stream('DEAD_LETTERS')
  await eventually(async () => expect(await jsm.streams.getMessage(stream, { seq: 2 })).toBeTruthy())
  const all = opened.move()
  return {
    index,
    first,
    known: () => letters.list().total,
    untilHeld,
    goOn: () => proxy.resume('toClient'),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

it.concurrent('whoever asks while a read is under way gets what was written since it began, by one more read for all of them', async () => {
  await using reads = await readHeld()
  const { index, first, known, goOn } = reads
  const others = [index.read(PATIENTLY_MS), index.read(PATIENTLY_MS)]
  goOn()
  expect(await first).toEqual({ state: 'current' })
  expect(known()).toBe(1)
  await reads.untilHeld(2)
  goOn()
  expect(await Promise.all(others)).toEqual([{ state: 'current' }, { state: 'current' }])
  expect(known()).toBe(2)
  // Nobody has begun another one meanwhile.
  await index.ended()
  await reads.untilHeld(2)
})

it.concurrent('a read that ends is not the end while one is behind it', async () => {
  await using reads = await readHeld()
  const { index, first, known, goOn } = reads
  void index.read(PATIENTLY_MS)
  let hasEnded = false
  const ended = index.ended().then(() => (hasEnded = true))
  goOn()
  await first
  await reads.untilHeld(2)
  expect(hasEnded).toBe(false)
  goOn()
  await ended
  expect(known()).toBe(2)
})
