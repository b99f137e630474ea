import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diskOf } from './disk.ts'
import { type DiskChange, type DiskOp, ROOT } from './disk-op.ts'
import { type FileSystem, isMetadata } from './durable.ts'
import { seededRandom } from '../chaos/seeded-random.ts'
import { LUCK, type Luck, survivors } from './survivors.ts'

/** One after the other, each begun at ten times its number and ended five later. */
const inTurn = (changes: readonly DiskChange[]): DiskOp[] =>
  changes.map((change, index) => ({ ...change, begunAt: index * 10, endedAt: index * 10 + 5 }))

const create = (inode: number, name: string): DiskChange => ({
  kind: 'create',
  folder: ROOT,
  name,
  inode,
  isFolder: false,
})
const sync = (inode: number): DiskChange => ({ kind: 'sync', inode })
const append = (inode: number, sizeBefore: number, text: string): DiskChange => ({
  kind: 'write',
  inode,
  offset: sizeBefore,
  sizeBefore,
  synced: false,
  data: Buffer.from(text),
})
const replace = (inode: number, from: string, to: string, replaced?: number): DiskChange => ({
  kind: 'rename',
  inode,
  replaced,
  from: { folder: ROOT, name: from },
  to: { folder: ROOT, name: to },
})

type Cut = { fileSystem: FileSystem; luck: Luck; at?: number; seed?: number }

function after(
  ops: readonly DiskOp[],
  { fileSystem, luck, at = 1e9, seed = 1 }: Cut,
): Record<string, string | undefined> {
  const left = survivors(ops, { at, fileSystem }, { luck, random: seededRandom(seed) })
  return Object.fromEntries([...diskOf(ops, left)].map(([path, bytes]) => [path, bytes?.toString()]))
}

const both: readonly FileSystem[] = ['strict', 'ext4']

test.for(both)('%s: what was written and not synced may be gone, and may be there', (fileSystem) => {
  const ops = inTurn([create(1, 'a'), sync(ROOT), append(1, 0, 'kept'), sync(1), append(1, 4, ' lost')])
  expect(after(ops, { fileSystem, luck: 'none' })).toEqual({ a: 'kept' })
  expect(after(ops, { fileSystem, luck: 'all' })).toEqual({ a: 'kept lost' })
})

test.for(both)('%s: a sync that had not returned, or that began before a write had, keeps nothing', (fileSystem) => {
  const [made, rooted, written, synced] = inTurn([create(1, 'a'), sync(ROOT), append(1, 0, 'x'), sync(1)]) as [
    DiskOp,
    DiskOp,
    DiskOp,
    DiskOp,
  ]
  const early = { ...synced, begunAt: written.endedAt - 1 }
  expect(after([made, rooted, written, synced], { fileSystem, luck: 'none', at: synced.endedAt - 1 })).toEqual({
    a: '',
  })
  expect(after([made, rooted, written, early], { fileSystem, luck: 'none' })).toEqual({ a: '' })
})

test.for(both)('%s: what had not begun is never there', (fileSystem) => {
  const ops = inTurn([create(1, 'a'), append(1, 0, 'x'), create(2, 'b')])
  expect(after(ops, { fileSystem, luck: 'all', at: 15 })).toEqual({ a: 'x' })
})

describe('the name of a new file', () => {
  const ops = inTurn([create(1, 'a'), append(1, 0, 'x'), sync(1)])

  test('strict: is lost with a sync of the file alone', () => {
    expect(after(ops, { fileSystem: 'strict', luck: 'none' })).toEqual({})
  })

  test('ext4: is kept with it', () => {
    expect(after(ops, { fileSystem: 'ext4', luck: 'none' })).toEqual({ a: 'x' })
  })
})

describe('a file that is written anew and renamed over the old one', () => {
  const ops = inTurn([
    create(1, 'a'),
    append(1, 0, 'old'),
    sync(1),
    sync(ROOT),
    create(2, 'a.tmp'),
    append(2, 0, 'new'),
    replace(2, 'a.tmp', 'a', 1),
    sync(ROOT),
  ])

  test('strict: may be empty without a sync of its own', () => {
    expect(after(ops, { fileSystem: 'strict', luck: 'none' })).toEqual({ a: '' })
  })

  test('ext4: comes with its data', () => {
    expect(after(ops, { fileSystem: 'ext4', luck: 'none' })).toEqual({ a: 'new' })
  })

  test.for(both)('%s: is the old one as long as the rename is not synced', (fileSystem) => {
    expect(after(ops.slice(0, -1), { fileSystem, luck: 'none' })).toMatchObject({ a: 'old' })
  })
})

test('ext4: a file renamed to a name nobody had may be empty', () => {
  const ops = inTurn([create(1, 'a.tmp'), append(1, 0, 'x'), replace(1, 'a.tmp', 'a'), sync(ROOT)])
  expect(after(ops, { fileSystem: 'ext4', luck: 'none' })).toEqual({ a: '' })
})

test('a write to a file that was opened with O_SYNC is kept when it has returned', () => {
  const ops = inTurn([create(1, 'a'), sync(ROOT), { ...append(1, 0, 'x'), synced: true } as DiskChange])
  expect(after(ops, { fileSystem: 'strict', luck: 'none' })).toEqual({ a: 'x' })
})

test('strict: a size may be there without its data', () => {
  const ops = inTurn([create(1, 'a'), sync(ROOT), append(1, 0, 'x'.repeat(600))])
  const seen = new Set(
    Array.from({ length: 40 }, (_, seed) => after(ops, { fileSystem: 'strict', luck: 'pieces', seed })['a']),
  )
  expect(seen).toContain('\0'.repeat(600))
})

/** What a process does to a few files, each whole on its own. */
const someChanges = fc
  .array(
    fc.tuple(
      fc.constantFrom('append', 'overwrite', 'sync', 'syncRoot', 'rename', 'remove'),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 9000 }),
    ),
    { maxLength: 40 },
  )
  .map((steps) => {
    const sizes = new Map<number, number>()
    const named = new Map<number, string>()
    const changes: DiskChange[] = []
    for (const [what, inode, length] of steps) {
      if (!sizes.has(inode)) {
        changes.push(create(inode, `f${inode}`))
        sizes.set(inode, 0)
        named.set(inode, `f${inode}`)
      }
      const size = sizes.get(inode)!
      const name = named.get(inode)
      if (what === 'append' || what === 'overwrite') {
        const offset = what === 'append' ? size : 0
        changes.push({
          kind: 'write',
          inode,
          offset,
          sizeBefore: size,
          synced: false,
          data: Buffer.alloc(length, changes.length),
        })
        sizes.set(inode, Math.max(size, offset + length))
      } else if (what === 'sync') changes.push(sync(inode))
      else if (what === 'syncRoot') changes.push(sync(ROOT))
      else if (name !== undefined && what === 'rename') {
        changes.push(replace(inode, name, `${name}r`))
        named.set(inode, `${name}r`)
      } else if (name !== undefined) {
        changes.push({ kind: 'unlink', folder: ROOT, name, inode })
        named.delete(inode)
      }
    }
    return inTurn(changes)
  })

const anyCut = fc.record({ fileSystem: fc.constantFrom(...both), luck: fc.constantFrom(...LUCK), seed: fc.nat() })

test('whatever is drawn, what is certain is there, and what survives on ext4 may survive by the strict rule too', () => {
  fc.assert(
    fc.property(someChanges, anyCut, (ops, { fileSystem, luck, seed }) => {
      const certain = survivors(ops, { at: 1e9, fileSystem }, { luck: 'none', random: seededRandom(seed) })
      const drawn = survivors(ops, { at: 1e9, fileSystem }, { luck, random: seededRandom(seed) })
      for (const [op, left] of certain) {
        const bytes = op.kind === 'write' ? [[0, op.data.length]] : []
        expect(left.ranges).toEqual(bytes)
        expect(drawn.get(op)).toEqual(left)
      }
      const strictly = survivors(ops, { at: 1e9, fileSystem: 'strict' }, { luck: 'none', random: seededRandom(seed) })
      for (const op of strictly.keys())
        expect(survivors(ops, { at: 1e9, fileSystem: 'ext4' }, { luck: 'none', random: seededRandom(0) }).has(op)).toBe(
          true,
        )
    }),
  )
})

test('ext4: names survive up to some point of time and not beyond', () => {
  fc.assert(
    fc.property(someChanges, anyCut, (ops, { luck, seed }) => {
      const left = survivors(ops, { at: 1e9, fileSystem: 'ext4' }, { luck, random: seededRandom(seed) })
      const kept = ops.filter(isMetadata).map((op) => left.has(op))
      expect(kept.lastIndexOf(true)).toBeLessThan(kept.includes(false) ? kept.indexOf(false) : kept.length)
    }),
  )
})

test('with everything kept, the files are what the process would have read', () => {
  fc.assert(
    fc.property(someChanges, fc.constantFrom(...both), (ops, fileSystem) => {
      const sizes = new Map<number, number>()
      for (const op of ops)
        if (op.kind === 'write') sizes.set(op.inode, Math.max(op.sizeBefore, op.offset + op.data.length))
      const disk = diskOf(ops, survivors(ops, { at: 1e9, fileSystem }, { luck: 'all', random: seededRandom(0) }))
      for (const [path, bytes] of disk) expect(bytes?.length).toBe(sizes.get(Number(path[1])) ?? 0)
    }),
  )
})
