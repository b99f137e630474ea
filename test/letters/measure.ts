import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectMesh, type Mesh } from '@malha/mesh'
import { testServer } from '@malha/testing'
import { theVersions, thisMachine } from '../bench/machine.ts'
import { cancelOne } from './cancel.ts'
import { malhaCommand } from './command.ts'
import { type ConsoleClient, startConsole } from './console-client.ts'
import { type HandlerProcess, startHandler } from './handler-process.ts'
import { answersOf, readFirst } from './look.ts'
import { redriveAll, redriveByConsole, redriveGroup } from './redrive.ts'
import type { Letters } from './result.ts'
import { writeLetters } from './write-letters.ts'

export type Asked = { letters: number; perSecond: number; say: (line: string) => void }

/** What everything is done with. */
export type Scene = {
  server: string
  mesh: Mesh
  console: ConsoleClient
  handler: HandlerProcess
  /** The folder of the commands' index. */
  cache: string
  /** Ids of the groups, each a tenth of the letters. */
  groups: readonly string[]
  say: Asked['say']
}

/** Writes letters, looks at them, and sends them all again; each a process as it is run. */
export async function measureLetters({ letters, perSecond, say }: Asked): Promise<Letters> {
  const startedAt = new Date().toISOString()
  await using folder = await emptyFolder()
  await using server = await testServer()
  await using handler = startHandler(server.url, letters)
  await using mesh = await connectMesh({ servers: server.url, name: 'measurement' })
  say(`writing ${letters} letters`)
  const written = await writeLetters(mesh, letters, say)
  await handler.ask('mend')
  const cache = join(folder.path, 'commands')
  say('reading them for the first time: a command')
  const list = ['dlq', 'list', '--limit', '1', '--json', '--server', server.url]
  const first = await malhaCommand(list, { cache }).ended
  say(`${Math.round(first.lastedMs)} ms, ${first.memory.peakMb} MiB; a console`)
  await using console = await startConsole(server.url, join(folder.path, 'console'))
  const consoleFirst = await readFirst(console, letters)
  say(`${JSON.stringify(consoleFirst)}; answers`)
  const second = await malhaCommand(list, { cache }).ended
  const { groups } = await console.letters('limit=1')
  const answers = await answersOf(console, groups[0]!.group)
  const scene = { server: server.url, mesh, console, handler, cache, say, groups: groups.map(({ group }) => group) }
  const paced = { ...(await redriveGroup(scene, { group: scene.groups[0]!, rate: perSecond })), asked: perSecond }
  const unthrottled = await redriveGroup(scene, { group: scene.groups[1]!, rate: 1_000_000 })
  const byConsole = await redriveByConsole(scene, scene.groups[2]!)
  const cancelled = await cancelOne(scene, scene.groups[3]!)
  const rest = await redriveAll(scene)
  const resolvedInTheEnd = await untilCurrent(console)
  return {
    startedAt,
    machine: thisMachine(),
    versions: await theVersions(),
    letters,
    keys: letters,
    group: groups[0]!.letters,
    ...written,
    firstReading: { command: { ms: first.lastedMs, peakMb: first.memory.peakMb }, console: consoleFirst },
    answers,
    listCommand: { ms: second.lastedMs, peakMb: second.memory.peakMb },
    paced,
    unthrottled,
    byConsole,
    cancelled,
    rest,
    resolvedInTheEnd,
  }
}

async function untilCurrent(console: ConsoleClient): Promise<number> {
  for (;;) {
    const { total, asOf } = await console.letters('limit=1&state=resolved')
    if (asOf.state === 'current') return total
  }
}

async function emptyFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'malha-letters-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
