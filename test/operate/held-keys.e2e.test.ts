/** Keys that a dead letter holds, where processes are killed: by others, or by what was sent again. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Mesh } from '@malha/mesh'
import { openOperations, type Operations, type Run } from '@malha/operations'
import { type Child, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { expect, test } from 'vitest'
import { type DeployedServer, deployedServer } from '../deploy/deployed-server.ts'
import { heldShop } from './held-shop.ts'
import { moved } from './moves.ts'

type Mode = 'refuses' | 'dies' | 'mended'
type Call = { pid: number; order: string; n: number }

const PATIENT = { timeoutMs: 60_000 }
const main = fileURLToPath(new URL('held-orders.ts', import.meta.url))

/** Two processes, each started again when it ends. */
function startShop(server: DeployedServer) {
  const folder = mkdtempSync(join(tmpdir(), 'malha-held-'))
  const [book, modeFile] = [join(folder, 'book'), join(folder, 'mode')]
  const children = new Set<Child>()
  let isOver = false
  const setMode = (mode: Mode): void => writeFileSync(modeFile, mode)
  const start = (): void => {
    const env = { ...process.env, ...server.as('shop'), BOOK: book, MODE: modeFile }
    const child = spawnChild({ command: process.execPath, args: [main], env })
    children.add(child)
    void child.exited.then(() => children.delete(child) && !isOver && start())
  }
  const calls = (): Call[] =>
    readFileSync(book, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' '))
      .map(([pid, order = '', n]) => ({ pid: Number(pid), order, n: Number(n) }))
  writeFileSync(book, '')
  setMode('refuses')
  for (let one = 0; one < 2; one++) start()
  return {
    setMode,
    calls,
    /** What was begun of a key, in order. */
    numbersOf: (key: string): number[] => calls().flatMap(({ order, n }) => (order === key ? [n] : [])),
    async [Symbol.asyncDispose](): Promise<void> {
      isOver = true
      await Promise.all([...children].map((child) => child.stop({ graceMs: 0 })))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const upTo = (end: number, from = 0): number[] => Array.from({ length: end - from }, (_, at) => at + from)

async function publish(mesh: Mesh, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) for (const order of ['held', 'free']) await mesh.publish(moved, { order, n })
}

/** A key that is held behind the letter of its first event, and another that went on. */
async function withHeldKey() {
  const server = await deployedServer([heldShop])
  const mesh = await server.connect('admin')
  const shop = startShop(server)
  for (const order of ['held', 'free']) for (let n = 0; n < 10; n++) await mesh.publish(moved, { order, n })
  await eventually(() => expect(shop.numbersOf('free')).toEqual(upTo(10)), PATIENT)
  const operations = await openOperations(await server.connect('operator'))
  await openLetter(operations)
  expect(shop.numbersOf('held')).toEqual([0])
  return { server, mesh, shop, operations }
}

async function openLetter(operations: Operations): Promise<object> {
  return eventually(async () => {
    await operations.letters.refresh()
    const { letters } = operations.letters.list({ state: 'open' })
    expect(letters).toHaveLength(1)
    return letters[0]!
  }, PATIENT)
}

async function redrive({ runs }: Operations): Promise<Run['counts']> {
  const { id } = await runs.redrive({ filter: { service: 'shop' }, who: 'ana' })
  return (await runs.work(id, { who: 'ana', signal: AbortSignal.timeout(90_000) })).counts
}

test.concurrent('a key that a letter holds is held by whoever follows an owner that was killed, until the letter is sent again; then it comes in order', async () => {
  const { server, mesh, shop, operations } = await withHeldKey()
  await using _server = server
  await using _shop = shop
  const owner = shop.calls()[0]!.pid
  process.kill(owner, 'SIGKILL')
  await publish(mesh, 10, 20)
  await eventually(() => expect(new Set(shop.numbersOf('free'))).toEqual(new Set(upTo(20))), PATIENT)
  expect(shop.calls().at(-1)!.pid).not.toBe(owner)
  expect(shop.numbersOf('held')).toEqual([0])
  shop.setMode('mended')
  expect(await redrive(operations)).toMatchObject({ sent: 1, ok: 1 })
  await eventually(() => expect(shop.numbersOf('held')).toEqual([0, ...upTo(20)]), PATIENT)
  operations[Symbol.dispose]()
})

test.concurrent('a letter that ends its process each time it is sent again is open again in the end, holds its key on, and others go on', async () => {
  const { server, mesh, shop, operations } = await withHeldKey()
  await using _server = server
  await using _shop = shop
  shop.setMode('dies')
  const redriven = redrive(operations)
  await publish(mesh, 10, 20)
  expect(await redriven).toMatchObject({ sent: 1, ok: 0, failed: 1 })
  expect(await openLetter(operations)).toMatchObject({ redrives: 1 })
  await eventually(() => expect(new Set(shop.numbersOf('free'))).toEqual(new Set(upTo(20))), PATIENT)
  const deaths = shop.numbersOf('held').slice(1)
  expect(new Set(deaths)).toEqual(new Set([0]))
  expect(deaths.length).toBeLessThan(8)
  shop.setMode('mended')
  expect(await redrive(operations)).toMatchObject({ sent: 1, ok: 1 })
  await eventually(() => expect(shop.numbersOf('held').slice(deaths.length + 1)).toEqual([0, ...upTo(20, 1)]), PATIENT)
  operations[Symbol.dispose]()
})
