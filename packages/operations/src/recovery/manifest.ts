import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConsumerConfig } from '@nats-io/jetstream'
import { OperationsError } from '../errors.ts'

/** A durable as it was before anything was copied. */
export type SavedDurable = {
  readonly config: Partial<ConsumerConfig>
  /** It had acks for all up to this sequence. */
  readonly floor: number
}

/** A stream of a backup. Its folder is called like it, and is one that `nats stream restore` reads too. */
export type SavedStream = {
  readonly name: string
  readonly kind: string
  readonly epoch: number
  readonly messages: number
  readonly firstSeq: number
  readonly lastSeq: number
  /** Of `stream.tar.s2`. */
  readonly bytes: number
  readonly sha256: string
  /** What was stored while it was copied, and is not in the copy: `later.json`. None where nothing is removed by what comes. */
  readonly later?: { readonly messages: number; readonly sha256: string }
  readonly durables: readonly SavedDurable[]
}

/** What is in a backup: `manifest.json`. Written when all else is on the disk: a folder without it is no backup. */
export type Manifest = {
  readonly v: 1
  readonly namespace: string
  readonly server: string
  /** RFC 3339. What was done after the first of them may be done again, what was stored after the second is not in it. */
  readonly beganAt: string
  readonly endedAt: string
  /** In the order in which they were copied. */
  readonly streams: readonly SavedStream[]
}

export const MANIFEST = 'manifest.json'

/** Files of one stream, the first two as the `nats` command calls them. */
export const filesOf = (folder: string, stream: string): Record<'folder' | 'config' | 'data' | 'later', string> => ({
  folder: join(folder, stream),
  config: join(folder, stream, 'backup.json'),
  data: join(folder, stream, 'stream.tar.s2'),
  later: join(folder, stream, 'later.json'),
})

/** @throws OperationsError OPERATIONS_BACKUP_UNREADABLE */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch((cause: unknown) => {
    throw unreadable(
      folder,
      'it has no manifest.json, which is written last: it is none, or one that was broken off',
      cause,
    )
  })
  let manifest: Manifest
  try {
    manifest = JSON.parse(text) as Manifest
  } catch (cause) {
    throw unreadable(folder, 'its manifest.json is no JSON', cause)
  }
  if (manifest.v !== 1) throw unreadable(folder, `it has version ${String(manifest.v)}: take the release that wrote it`)
  return manifest
}

export function unreadable(folder: string, why: string, cause?: unknown): OperationsError {
  return new OperationsError('OPERATIONS_BACKUP_UNREADABLE', `backup ${folder}: ${why}`, { cause })
}
