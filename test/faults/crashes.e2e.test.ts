import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { LETTER_HEADER } from '@malha/mesh'
import { type Child, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import { expect, test } from 'vitest'
import { crashingWorker } from './crashing-worker.ts'
import { type FaultMesh, faultMesh } from './fault-mesh.ts'
import { deadLetters, settled } from './fixture.ts'
import { asked, source } from './jobs.ts'
import { newBook } from './ordered-fixture.ts'

/** A worker process that is started again whenever it ends. */
function supervised(
  t: FaultMesh,
  env: Record<string, string>,
  said: string[] = [],
): AsyncDisposable & { said: readonly string[] } {
  let isOver = false
  let child: Child
  const start = (): void => {
    child = spawnChild({
      command: process.execPath,
      // Little, so that all of it is taken soon.
      args: ['--max-old-space-size=96', fileURLToPath(new URL('crashing-worker.ts', import.meta.url))],
      env: { ...process.env, ...t.as('worker'), ...env },
      onLine: (line) => said.push(line),
    })
    void child.exited.then(() => (isOver ? undefined : start()))
  }
  start()
  return {
    said,
    async [Symbol.asyncDispose]() {
      isOver = true
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

/** Each once: one whose process ends between its effect and its ack is done again, as ever. */
const done = (file: string): string[] => [...new Set(readFileSync(file, 'utf8').split('\n').filter(Boolean))].toSorted()

async function lettersOf(t: FaultMesh): Promise<{ id: string; code: string }[]> {
  const jsm = await jetstreamManager(t.nats)
  const letters: { id: string; code: string }[] = []
  for (let seq = 1; seq <= (await deadLetters(t)); seq++) {
    const stored = await jsm.streams.getMessage('DEAD_LETTERS', { seq })
    letters.push({ id: stored?.header.get('ce-id') ?? '', code: stored?.header.get(LETTER_HEADER.code) ?? '' })
  }
  return letters
}

type Outcome = { letters: string[]; done: string[] }

/** Twenty messages, of which these do that each time. */
function jobsWith(guilty: Readonly<Record<number, 'kills' | 'hoards' | 'hangs'>>): {
  ids: string[]
  expected: Outcome
} {
  const ids = Array.from({ length: 20 }, (_, n) => `${guilty[n] ?? 'job'}-${n}`)
  const dead = ids.filter((id) => !id.startsWith('job')).toSorted()
  const rest = ids.filter((id) => id.startsWith('job')).toSorted()
  return { ids, expected: { letters: dead.map((id) => `MESH_CRASHED ${id}`), done: rest } }
}

/** From the start of a worker until as many messages are dead letters as are expected, and all others handled. */
async function untilBuried(
  t: FaultMesh,
  { ids, expected }: ReturnType<typeof jobsWith>,
  { env, meanwhile, said = [] }: { env: Record<string, string>; meanwhile?: () => Promise<void>; said?: string[] },
): Promise<Outcome> {
  using book = newBook()
  await using worker = supervised(t, { BOOK: book.file, ...env }, said)
  await eventually(() => expect(worker.said.join('\n')).toContain('is bound'), { timeoutMs: 30_000 })
  for (const [n, jobId] of ids.entries()) await t.mesh.publish(asked, { jobId, n }, { id: jobId })
  const starts = (): number => worker.said.filter((line) => line.includes('is bound')).length
  await eventually(() => expect(starts()).toBeGreaterThan(2), { timeoutMs: 60_000 })
  await meanwhile?.()
  await eventually(async () => expect(await deadLetters(t)).toBe(expected.letters.length), { timeoutMs: 150_000 })
  await eventually(() => expect(done(book.file).length).toBeGreaterThanOrEqual(expected.done.length), {
    timeoutMs: 30_000,
  })
  if (!env['ORDER']) await settled(t, 'work')
  const letters = (await lettersOf(t)).map(({ id, code }) => `${code} ${id}`)
  return { letters: letters.toSorted(), done: done(book.file) }
}

test.concurrent('of twenty messages one kills its process each time and one takes all its memory: two letters, and all others handled, also where their durable is deleted meanwhile', async () => {
  // Who may make no durable waits for somebody who may; its user may make its own.
  const env = { ACK_WAIT_MS: '500', MALHA_TOPOLOGY: 'ensure' }
  await using t = await faultMesh([source, crashingWorker(env)])
  const jsm = await jetstreamManager(t.nats)
  const deletion = async (): Promise<void> =>
    void (await jsm.consumers.delete(t.mesh.names.stream('JOBS'), t.mesh.names.durable('worker', 'work', 'keyed')))
  const twenty = jobsWith({ 3: 'kills', 11: 'hoards' })
  const said: string[] = []
  const how = { env, meanwhile: deletion, said }
  expect(await untilBuried(t, twenty, how)).toEqual(twenty.expected)
  expect(said.filter((line) => line.includes('JavaScript heap out of memory')).length).toBeGreaterThan(2)
})

test.concurrent('the same of one, where the order of keys is kept', async () => {
  const env = { ACK_WAIT_MS: '2000', ORDER: 'key' }
  await using t = await faultMesh([source, crashingWorker(env)])
  const twenty = jobsWith({ 3: 'kills' })
  expect(await untilBuried(t, twenty, { env })).toEqual(twenty.expected)
})

test.concurrent('of twenty messages one never comes back, in any of three processes: one letter, and all others handled', async () => {
  using book = newBook()
  const env = { BOOK: book.file, ACK_WAIT_MS: '500', TIMEOUT_MS: '100' }
  await using t = await faultMesh([source, crashingWorker(env)])
  const workers = [supervised(t, env), supervised(t, env), supervised(t, env)]
  await using stopping = new AsyncDisposableStack()
  for (const worker of workers) stopping.use(worker)
  await eventually(
    () => expect(workers.every(({ said }) => said.some((line) => line.includes('is bound')))).toBe(true),
    { timeoutMs: 60_000 },
  )
  const { ids, expected } = jobsWith({ 3: 'hangs' })
  for (const [n, jobId] of ids.entries()) await t.mesh.publish(asked, { jobId, n }, { id: jobId })
  await eventually(async () => expect(await deadLetters(t)).toBe(1), { timeoutMs: 90_000 })
  await eventually(() => expect(done(book.file)).toEqual(expected.done), { timeoutMs: 30_000 })
  await settled(t, 'work')
  expect((await lettersOf(t)).map(({ id, code }) => `${code} ${id}`)).toEqual(expected.letters)
  // It was lost in more than one.
  const lost = workers.filter(({ said }) => said.some((line) => /slot/.test(line)))
  expect(lost.length).toBeGreaterThan(1)
})
