import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { keyToken, partitionOf, type Mesh } from '@malha/mesh'
import { type Child, spawnChild } from '@malha/stack'
import { eventually } from '@malha/testing'
import { jetstreamManager } from '@nats-io/jetstream'
import type { FaultMesh } from './fault-mesh.ts'
import { steps, taken } from './ordered-jobs.ts'

export const partitionOfKey = (key: string): number => partitionOf(keyToken(key), steps.partitions)

/** A file that all workers write to. */
export function newBook(): Disposable & { file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'malha-book-'))
  const file = join(folder, 'book')
  writeFileSync(file, '')
  return { file, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

export interface Walker extends AsyncDisposable {
  /** Its name in the partitions' records. */
  readonly instance: string
  /** SIGTERM; resolves with the exit code once it has drained. */
  drain(): Promise<number | null>
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  readonly exited: Promise<unknown>
  readonly lines: readonly string[]
}

export async function startWalker(t: FaultMesh, book: string, env: Record<string, string> = {}): Promise<Walker> {
  const lines: string[] = []
  const child: Child = spawnChild({
    command: process.execPath,
    args: [fileURLToPath(new URL('ordered-worker.ts', import.meta.url))],
    env: { ...process.env, ...t.as('worker'), BOOK: book, ...env },
    onLine: (line) => lines.push(line),
  })
  const instance = await eventually(
    () => {
      const joined = lines.find((line) => line.includes('joins those'))
      if (!joined) throw new Error(`the worker did not join (exit ${child.exit?.code}):\n${lines.join('\n')}`)
      return (JSON.parse(joined) as { instance: string }).instance
    },
    { timeoutMs: 60_000 },
  )
  return {
    instance,
    lines,
    exited: child.exited,
    signal: (name) => child.kill(name),
    async drain() {
      child.kill('SIGTERM')
      return (await child.exited).code
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

/** Publishes `each` steps of each key, all keys at once, steps in order; one in fifty fails a few times. */
export async function publishSteps(mesh: Mesh, keys: readonly string[], each: number): Promise<void> {
  for (let n = 0; n < each; n += 1)
    for (let from = 0; from < keys.length; from += 500)
      await Promise.all(
        keys
          .slice(from, from + 500)
          .map((key, index) => mesh.publish(taken, { key, n, failures: failuresOf(from + index, n) })),
      )
}

function failuresOf(index: number, n: number): number {
  return (index * 31 + n * 17) % 50 === 0 ? 1 + ((index + n) % 5) : 0
}

type Held = { attempts: number; dueAt: number }

/** Who has each partition, and what waits for a retry there. */
async function ownership(t: FaultMesh): Promise<{ partition: number; owner: string; fence: number; held: Held[] }[]> {
  const jsm = await jetstreamManager(t.nats)
  const bucket = 'MESH_PARTITIONS'
  const prefix = `$KV.${bucket}.worker_walk.at.`
  const found = []
  for await (const message of await jsm.direct.getLastMessagesFor(`KV_${bucket}`, { multi_last: [`${prefix}*`] })) {
    const { owner, fence, open } = JSON.parse(message.string()) as { owner: string; fence: number; open: unknown[][] }
    const held = open.flatMap(([, , attempts, , , dueAt]) =>
      attempts === undefined ? [] : [{ attempts: Number(attempts), dueAt: Number(dueAt) }],
    )
    found.push({ partition: Number(message.subject.slice(prefix.length)), owner, fence, held })
  }
  return found
}

/** A worker whose keys hold at least three retries of different age now. */
export async function busyOwner(t: FaultMesh, walkers: readonly Walker[]): Promise<Walker> {
  return eventually(
    async () => {
      const all = await ownership(t)
      const found = walkers.find(({ instance }) => {
        const held = all.filter(({ owner }) => owner === instance).flatMap((one) => one.held)
        return new Set(held.map(({ dueAt }) => dueAt)).size >= 3
      })
      if (!found) throw new Error('nobody holds three retries')
      return found
    },
    { timeoutMs: 30_000, intervalMs: 20 },
  )
}
