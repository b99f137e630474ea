import { copyFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { eventually, testMesh } from '@malha/testing'
import { expect, test } from 'vitest'
import { Spool } from '../../../src/publish/spool/spool.ts'
import { readHead } from '../../../src/publish/spool/entry.ts'
import { brokerAway, linesOf, noted, order, orders, shop, storedIn, tempFolder } from './spool-kit.ts'

const PAGE = 4096
const COUNT = 60
const nowhere = { servers: 'nats://127.0.0.1:1' }

/** A spool with events of all sizes, some over several pages, and the file as it stands on the disk. */
async function filled(file: string): Promise<Buffer> {
  await using t = await testMesh()
  const mesh = await t.connect({ ...nowhere, spool: { file } })
  const sizes = [10, 300, 2000, 4000, 9000, 40_000]
  await Promise.all(
    Array.from({ length: COUNT }, (_, n) =>
      mesh.publish(noted, { ...order(n), text: String(n).padEnd(sizes[n % sizes.length]!, 'x') }, { id: `p${n}` }),
    ),
  )
  await mesh.close()
  return readFileSync(file)
}

/** Opens a file, and says what is in it and what was told of it. */
async function opened(
  file: string,
): Promise<{ ids: string[]; whole: boolean; lines: ReturnType<typeof linesOf>['lines'] }> {
  const { lines, logger } = linesOf()
  const spool = await Spool.open({ file }, logger)
  const entries = spool.streams().flatMap((stream) => spool.first(stream, { count: 1000, bytes: Infinity }))
  const ids = entries.map((entry) => readHead(entry).out.envelope.id)
  const whole = entries.every((entry) => {
    const { n, text } = JSON.parse(Buffer.from(entry.payload).toString()) as { n: number; text: string }
    return readHead(entry).out.envelope.id === `p${n}` && text.startsWith(String(n)) && /^\d+x*$/.test(text)
  })
  spool.close()
  return { ids, whole, lines }
}

const allIds = Array.from({ length: COUNT }, (_, n) => `p${n}`)

test('a page overwritten anywhere is found at start, told, and costs only what stood there', async () => {
  using folder = tempFolder()
  const sound = await filled(folder.file)
  expect(await opened(folder.file)).toMatchObject({ ids: allIds, whole: true, lines: [] })
  const pages = sound.length / PAGE
  expect(pages).toBeGreaterThan(50)
  for (let page = 0; page < pages; page += page < 4 ? 1 : 5) {
    const copy = `${folder.file}.${page}`
    const torn = Buffer.from(sound)
    torn.fill(page % 2 === 0 ? 0 : 0x5a, page * PAGE, (page + 1) * PAGE)
    writeFileSync(copy, torn)
    const { ids, whole, lines } = await opened(copy)
    // A page of events holds a dozen of the small ones at most; the first pages hold none.
    expect([page, ids.length >= COUNT - 15, whole]).toStrictEqual([page, true, true])
    expect(ids).toStrictEqual(allIds.filter((id) => ids.includes(id)))
    const reports = lines.map(({ level, saved }) => [level, saved])
    const isNoticed = ids.length < COUNT || page === 0 || reports.length > 0
    expect([page, reports]).toStrictEqual([page, isNoticed ? [['error', ids.length]] : []])
  }
})

test('one byte changed in an event is found, and costs that event', async () => {
  using folder = tempFolder()
  const sound = await filled(folder.file)
  const at = sound.indexOf(Buffer.from('"text":"17x'))
  const torn = Buffer.from(sound)
  torn[at + 12]! ^= 1
  writeFileSync(folder.file, torn)
  const { ids, lines } = await opened(folder.file)
  expect(ids).toStrictEqual(allIds.filter((id) => id !== 'p17'))
  expect(lines).toMatchObject([{ level: 'error', saved: COUNT - 1, missing: ['18'] }])
})

test.each([0.9, 0.5, 0.1, 0])('a file cut to %d of its length is found, and what is left is saved', async (share) => {
  using folder = tempFolder()
  const sound = await filled(folder.file)
  truncateSync(folder.file, Math.floor(sound.length * share))
  const { ids, whole, lines } = await opened(folder.file)
  expect(whole).toBe(true)
  expect(ids.length).toBeGreaterThanOrEqual(Math.floor((COUNT - 1) * share * 0.5))
  const [report] = lines
  expect(report).toMatchObject({ level: 'error', saved: ids.length })
  expect(report?.message).toContain('torn')
})

test('a garbage header costs nothing, and the torn file is kept aside as it was', async () => {
  using folder = tempFolder()
  const sound = await filled(folder.file)
  const torn = Buffer.from(sound)
  torn.write('this is no database any more', 0)
  torn.fill(0xff, 28, 100)
  writeFileSync(folder.file, torn)
  const { ids, lines } = await opened(folder.file)
  expect(ids).toStrictEqual(allIds)
  expect(lines).toMatchObject([{ level: 'error', saved: COUNT, missing: [] }])
  const aside = readdirSync(folder.path).find((name) => name.includes('.torn-') && !name.endsWith('-journal'))
  expect(lines[0]?.message).toContain(aside)
  expect(readFileSync(join(folder.path, aside!)).equals(torn)).toBe(true)
})

test('what was stored before does not come back from a torn file', async () => {
  await using away = await brokerAway()
  const { server, t } = away
  const mesh = await t.connect({ spool: { file: away.file } })
  await Promise.all(Array.from({ length: 200 }, (_, n) => mesh.publish(noted, { ...order(n), text: 'x'.repeat(500) })))
  await server.start()
  await eventually(async () => expect(await storedIn(t, orders)).toHaveLength(200))
  await eventually(async () => expect((await mesh.publish(noted, order(200))).queued).toBeUndefined())
  await server.kill()
  await eventually(async () => expect((await mesh.publish(noted, order(201), { id: 'last' })).queued).toBe(true))
  await mesh.close()
  await server.start()
  const torn = readFileSync(away.file)
  torn.fill(0, 0, PAGE)
  writeFileSync(away.file, torn)
  expect((await opened(away.file)).ids).toStrictEqual(['last'])
})

test('a salvage that was cut off is done again, or goes on', async () => {
  using folder = tempFolder()
  const sound = await filled(folder.file)
  const torn = Buffer.from(sound)
  torn.fill(0, 0, PAGE)
  // Cut off while it wrote the new file.
  writeFileSync(folder.file, torn)
  writeFileSync(`${folder.file}.new`, torn.subarray(0, 10_000))
  expect((await opened(folder.file)).ids).toStrictEqual(allIds)
  // Cut off between the two renames: the torn file is aside, the new one not yet in its place.
  copyFileSync(folder.file, `${folder.file}.new`)
  writeFileSync(folder.file, torn)
  rmSync(folder.file)
  const { ids, lines } = await opened(folder.file)
  expect([ids, lines]).toStrictEqual([allIds, []])
  expect(readdirSync(folder.path).filter((name) => name.startsWith(`${basename(folder.file)}.new`))).toStrictEqual([])
})

test('after a salvage an event that is given up does not meet one that was given up before', async () => {
  using folder = tempFolder()
  await using t = await testMesh()
  await t.mesh.provision(shop)
  await t.mesh.publish(noted, order(9), { id: 'taken' })
  const away = await t.connect({ ...nowhere, spool: { file: folder.file } })
  for (const n of [1, 2]) await away.publish(noted, order(n), { id: 'taken' })
  await away.close()
  const first = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(first.queued).toBe(0))
  await eventually(async () => expect(await storedIn(t, 'DEAD_LETTERS')).toHaveLength(2))
  await first.close()
  const torn = readFileSync(folder.file)
  torn.fill(0, 0, PAGE)
  writeFileSync(folder.file, torn)
  const later = await t.connect({ ...nowhere, spool: { file: folder.file } })
  for (const n of [3, 4]) await later.publish(noted, order(n), { id: 'taken' })
  await later.close()
  const last = await t.connect({ spool: { file: folder.file } })
  await eventually(() => expect(last.queued).toBe(0))
  await eventually(async () => expect(await storedIn(t, 'DEAD_LETTERS')).toHaveLength(4))
})
