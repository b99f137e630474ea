import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Received } from '../src/index.ts'
import { answerOf, ask, providerOf } from './call.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

type Line = { level: number; msg: string; url?: string; control?: string }

test('whatever was answered is known after SIGKILL, at any moment', async () => {
  await using folder = await temporaryFolder()
  const answered = new Map<string, unknown>()
  for (let round = 0; round < 5; round++) {
    await using partner = await start({ DATA_DIR: folder.path, LATENCY_MS: '0' })
    const asking = Array.from({ length: 8 }, (_, lane) => askUntilDead(partner.url, `r${round}-l${lane}`, answered))
    const enough = (round + 1) * 40
    await expect.poll(() => answered.size, { timeout: 20_000, interval: 1 }).toBeGreaterThan(enough)
    partner.child.kill('SIGKILL')
    await Promise.all(asking)
  }
  await using partner = await start({ DATA_DIR: folder.path, LATENCY_MS: '0' })
  const { body } = await answerOf(fetch(`${partner.control}/_received`))
  const { byCenter, attempts, created } = body as Received
  for (const id of answered.keys()) expect(byCenter[id]).toEqual({ effects: 1, attempts: 1, keys: [id] })
  expect(attempts).toBeGreaterThanOrEqual(created)
  for (const [id, answer] of [...answered].slice(-10))
    expect(await answerOf(ask(partner.url, providerOf(id), id))).toEqual({ status: 200, body: answer })
})

test('SIGTERM ends it with 0, and the fault is forgotten where the effects are kept', async () => {
  await using folder = await temporaryFolder()
  await using down = await start({ DATA_DIR: folder.path, FAULT: 'error' })
  expect((await ask(down.url, providerOf('c1'), 'k1')).status).toBe(500)
  down.child.kill('SIGTERM')
  expect(await once(down.child, 'exit')).toEqual([0, null])
  await using up = await start({ DATA_DIR: folder.path })
  expect((await ask(up.url, providerOf('c1'), 'k1')).status).toBe(201)
  const { body } = await answerOf(fetch(`${up.control}/_received`))
  expect(body).toMatchObject({ created: 1, attempts: 2 })
})

test('a taken port ends the start with one readable line and code 1', async () => {
  await using first = await start({})
  await using second = run({ CONTROL_PORT: new URL(first.control).port })
  const [lines, [code]] = await Promise.all([linesOf(second.child), once(second.child, 'exit')])
  expect(code).toBe(1)
  expect(lines).toEqual([
    {
      level: 60,
      msg: expect.stringMatching(/EADDRINUSE.*127\.0\.0\.1:\d+/),
      service: 'partner-senninha',
      time: expect.any(Number),
    },
  ])
})

async function askUntilDead(url: string, lane: string, answered: Map<string, unknown>): Promise<void> {
  for (let at = 0; ; at++) {
    const id = `${lane}-${at}`
    try {
      answered.set(id, (await answerOf(ask(url, providerOf(id), id))).body)
    } catch {
      return
    }
  }
}

type Running = AsyncDisposable & { child: ChildProcess }

/** A process that does not outlive the test, nor 30 s. */
function run(env: NodeJS.ProcessEnv): Running {
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, PARTNER: 'senninha', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  return {
    child,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function start(env: NodeJS.ProcessEnv): Promise<Running & { url: string; control: string }> {
  const running = run(env)
  return { ...running, ...(await readyLine(running.child)) }
}

async function readyLine(child: ChildProcess): Promise<{ url: string; control: string }> {
  for await (const text of createInterface({ input: child.stdout! })) {
    const { url, control, msg } = JSON.parse(text) as Line
    if (url === undefined || control === undefined) throw new Error(`it did not start: ${msg}`)
    child.stdout!.resume()
    return { url, control }
  }
  throw new Error('it ended without a word')
}

async function linesOf(child: ChildProcess): Promise<unknown[]> {
  const lines: unknown[] = []
  for await (const text of createInterface({ input: child.stdout! })) {
    lines.push(JSON.parse(text))
  }
  return lines
}

async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'partner-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
