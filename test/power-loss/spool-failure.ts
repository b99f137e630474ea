/** The same for a spool: its process is traced while it queues events, and its file is cut. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineService } from '@malha/mesh'
import { freePorts, spawnChild } from '@malha/stack'
import { eventually, testMesh, testServer } from '@malha/testing'
import { idsIn } from './aftermath.ts'
import type { CutPoint } from './cuts.ts'
import type { Sent } from './disk-op.ts'
import { diskOf, writeDisk } from './disk.ts'
import type { FileSystem } from './durable.ts'
import { meterRead } from './load.ts'
import type { Outcome } from './power-failure.ts'
import { seededRandom } from '../chaos/seeded-random.ts'
import { expectSame, type Recording } from './recording.ts'
import { survivors } from './survivors.ts'
import { journalOf, needStrace, straceArgs } from './traced.ts'

const FILE = 'spool.db'
const NODE = 'spool'
/** Events are queued for the subjects of one. */
const NAMESPACE = 'power'

/** @throws Error when the journal does not make the very files that the process left */
export async function recordSpool(events: number): Promise<Recording> {
  await needStrace()
  const folder = await mkdtemp(join(tmpdir(), 'malha-power-'))
  await using cleaning = new AsyncDisposableStack()
  cleaning.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const [store, trace] = [join(folder, NODE), join(folder, 'strace')]
  await mkdir(store)
  const [port] = await freePorts(1)
  const main = fileURLToPath(new URL('spool-process.ts', import.meta.url))
  const lines: string[] = []
  const child = spawnChild({
    command: 'strace',
    args: [...straceArgs(trace), '--', process.execPath, main],
    env: {
      ...process.env,
      NATS_URL: `nats://127.0.0.1:${port}`,
      MALHA_SPOOL_FILE: join(store, FILE),
      MALHA_NAMESPACE: NAMESPACE,
      EVENTS: String(events),
      // What is written through a ring is no system call.
      UV_USE_IO_URING: '0',
    },
    onLine: (line) => lines.push(line),
  })
  cleaning.defer(() => child.kill('SIGKILL'))
  await eventually(
    () => {
      if (child.exit) throw new Error(`the process ended:\n${child.tail.join('\n')}`)
      return lines.includes('done')
    },
    { timeoutMs: 120_000 },
  )
  child.kill('SIGKILL')
  await child.exited
  const journal = await journalOf(trace, store)
  await expectSame(journal, store)
  const acknowledged = queuedIn(journal.sent)
  if (acknowledged.size < events) throw new Error(`${acknowledged.size} of ${events} events were seen to be queued`)
  const begunAt = Math.min(...journal.ops.map((op) => op.begunAt))
  return { journals: new Map([[NODE, journal]]), acknowledged, begunAt, endedAt: Math.max(...acknowledged.values()) }
}

/** When the process said of each event that it is queued. */
function queuedIn(sent: readonly Sent[]): Map<string, number> {
  const lines = sent.flatMap(({ data, begunAt }) => {
    const id = /^queued (\S+)\n$/.exec(data.toString('latin1'))?.[1]
    return id === undefined ? [] : [[id, begunAt] as const]
  })
  return new Map(lines)
}

export async function failSpoolAt(recording: Recording, point: CutPoint, fileSystem: FileSystem): Promise<Outcome> {
  const acknowledged = [...recording.acknowledged].filter(([, at]) => at <= point.at).map(([id]) => id)
  const folder = await mkdtemp(join(tmpdir(), 'malha-power-'))
  await using cleaning = new AsyncDisposableStack()
  cleaning.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const { ops } = recording.journals.get(NODE)!
  // Nothing is taken for settled: the file itself is made within what is cut.
  const left = survivors(ops, { at: point.at, fileSystem }, { luck: point.luck, random: seededRandom(point.seed) })
  await writeDisk(diskOf(ops, left), folder)
  const stored = await drained(join(folder, FILE))
  return {
    cut: point.number,
    luck: point.luck,
    acknowledged: acknowledged.length,
    lost: acknowledged.filter((id) => !stored.includes(id)),
    doubled: stored.filter((id, index) => stored.indexOf(id) !== index),
    passedOver: [],
    isFloorBeyondEnd: false,
    hasDurable: false,
  }
}

/** The ids that a process on this file brings to the broker, which is back. */
async function drained(file: string): Promise<string[]> {
  await using server = await testServer()
  await using t = await testMesh({ server, namespace: NAMESPACE })
  await t.mesh.provision(defineService('meter', { handlers: {}, publishes: [meterRead] }))
  const mesh = await t.connect({ spool: { file } })
  await eventually(() => mesh.queued === 0)
  return [...(await idsIn(t.nats, `${t.namespace}_${meterRead.stream.name}`)).values()]
}
