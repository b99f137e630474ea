import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { freePorts, spawnChild, superviseProcess } from '../src/index.ts'
import type { SuperviseEvent } from '../src/index.ts'
import { isAlive, until } from './fixtures/processes.ts'
import { tempDir } from './fixtures/temp-dir.ts'

const SERVE = `
  const server = require('node:http').createServer((_request, response) => response.end('ok'))
  server.listen(Number(process.argv[1]), '127.0.0.1')
`

test('a killed process is started again, said in one sentence, and is ready again', async () => {
  const [port] = (await freePorts(1)) as [number]
  const said: string[] = []
  await using server = superviseProcess({
    name: 'shop',
    command: process.execPath,
    args: ['-e', SERVE, String(port)],
    readyUrl: `http://127.0.0.1:${port}/`,
    log: (message) => said.push(message),
  })
  await server.whenReady()
  const first = server.pid as number
  server.kill()
  await until(() => server.restarts === 1)
  await server.whenReady()
  expect(server.pid).not.toBe(first)
  expect(await isAlive(first)).toBe(false)
  expect(said).toEqual([`shop (pid ${first}) died (SIGKILL); it is started again in 0.25 s`])
})

test('the pauses between restarts double up to the longest', async () => {
  const pauses: number[] = []
  const onEvent = (event: SuperviseEvent): void => void (event.type === 'died' && pauses.push(event.restartInMs))
  await using _crashing = superviseProcess({
    name: 'crashing',
    command: '/bin/false',
    firstPauseMs: 10,
    longestPauseMs: 40,
    onEvent,
  })
  await until(() => pauses.length >= 5)
  expect(pauses.slice(0, 5)).toEqual([10, 20, 40, 40, 40])
})

test('a process that lived long enough starts over with the first pause', async () => {
  const pauses: number[] = []
  const onEvent = (event: SuperviseEvent): void => void (event.type === 'died' && pauses.push(event.restartInMs))
  await using _short = superviseProcess({
    name: 'short',
    command: 'sleep',
    args: ['0.2'],
    firstPauseMs: 10,
    steadyAfterMs: 100,
    onEvent,
  })
  await until(() => pauses.length >= 3)
  expect(pauses.slice(0, 3)).toEqual([10, 10, 10])
})

test('a process that never becomes ready is reported with how it ended and its last lines', async () => {
  await using hopeless = superviseProcess({
    name: 'hopeless',
    command: '/bin/sh',
    args: ['-c', 'echo no such table >&2; exit 3'],
    readyUrl: 'http://127.0.0.1:1/',
    firstPauseMs: 10,
  })
  await expect(hopeless.whenReady()).rejects.toMatchObject({
    code: 'STACK_NOT_READY',
    message: expect.stringMatching(/hopeless died \d+ times.*exit code 3.*no such table/s) as string,
  })
})

test('stop ends a process that ignores SIGTERM, and nothing is started after it', async () => {
  const started: number[] = []
  const said: string[] = []
  const stubborn = superviseProcess({
    name: 'stubborn',
    command: '/bin/sh',
    args: ['-c', "trap '' TERM; echo up; while :; do sleep 1; done"],
    onEvent: (event) => void (event.type === 'started' && started.push(event.pid)),
    onLine: (line) => said.push(line),
  })
  // Before that line it would end with SIGTERM as any other.
  await until(() => said.includes('up'))
  await stubborn.stop({ graceMs: 200 })
  expect(started).toHaveLength(1)
  expect(stubborn.pid).toBeUndefined()
  expect(await isAlive(started[0] as number)).toBe(false)
})

test('a child has the pid, the exit code, the folder and the environment of its command', async () => {
  await using dir = await tempDir()
  await writeFile(join(dir.path, 'who.sh'), 'echo "$$ $GREETING $(pwd -P)"; exit 7\n')
  const env = { ...process.env, GREETING: 'olá' }
  const child = spawnChild({ command: '/bin/sh', args: ['who.sh'], cwd: dir.path, env })
  expect(await child.exited).toEqual({ code: 7, signal: null })
  expect(child.tail).toEqual([`${child.pid} olá ${dir.path}`])
})

test('a command that does not exist ends with 127 and says so', async () => {
  const child = spawnChild({ command: 'no-such-command-anywhere' })
  expect(await child.exited).toEqual({ code: 127, signal: null })
  expect(child.tail.join(' ')).toMatch(/no-such-command-anywhere.*not found/)
})

test('a folder that does not exist is a child that ended, not a crash', async () => {
  const child = spawnChild({ command: 'true', cwd: '/no/such/folder' })
  expect(await child.exited).toEqual({ code: 127, signal: null })
  expect(child.tail.join(' ')).toMatch(/no\/such\/folder/)
})
