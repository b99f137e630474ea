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

type HeldReads = AsyncDisposable & {
  index: IndexReader
  /** How many letters the index has. */
  known: () => number
  /** Resolves when so many reads were begun, and the last one is held. */
  untilHeld: (reads: number) => Promise<void>
  goOn: () => void
  /** One more letter; resolves when it is stored. */
  giveUp: () => Promise<void>
}

/** An index of one letter to read, each read of which is held where it has read the letters that are there. */
async function heldReads(): Promise<HeldReads> {
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
  const all = opened.move()
  return {
    index: indexReader(console, letters),
    known: () => letters.list().total,
    untilHeld: (reads) => eventually(() => expect(begun).toBe(reads)),
    goOn: () => proxy.resume('toClient'),
    async giveUp() {
      await mesh.publish(placed, { n: 'o-2', why: 'no room' })
      const stream = mesh.names.stream('DEAD_LETTERS')
      await eventually(async () => expect(await jsm.streams.getMessage(stream, { seq: 2 })).toBeTruthy())
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

it.concurrent('whoever asks while a read is under way gets what was written since it began, by one more read for all of them', async () => {
  await using reads = await heldReads()
  const { index, known, goOn } = reads
  const first = index.read(PATIENTLY_MS)
  await reads.untilHeld(1)
  await reads.giveUp()
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
  await using reads = await heldReads()
  const { index, known, goOn } = reads
  const first = index.read(PATIENTLY_MS)
  await reads.untilHeld(1)
  await reads.giveUp()
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
