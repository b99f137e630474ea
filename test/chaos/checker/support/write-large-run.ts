import { join } from 'node:path'
import type { HandlerFacts, StoredMessage } from '../../history/final-state.ts'
import type { Operation } from '../../history/operation.ts'
import { finalFile, operationsFolder, saveAbout } from '../../history/saved-run.ts'
import { openWriter } from '../../history/write-lines.ts'

const KEYS = 5000
const handlers: HandlerFacts[] = [
  { handler: 'large.walk', type: 'step.taken', order: 'key', effect: 'once' },
  { handler: 'large.look', type: 'step.taken', order: 'none', effect: 'none' },
]

const BEGAN_AT = 1_795_271_400_000

/** Writes a saved run of so many messages, of which one in the middle had no effect. @returns its id */
export async function writeLargeRun(folder: string, messages: number): Promise<string> {
  const operations = operationsFolder(folder)
  const lost = Math.floor(messages / 2)
  await using publisher = openWriter<Operation>(join(operations, 'publisher.jsonl'))
  await using worker = openWriter<Operation>(join(operations, 'worker.jsonl'))
  await using ledger = openWriter<Operation>(join(operations, 'ledger.jsonl'))
  await using streams = openWriter<StoredMessage>(finalFile(folder, 'streams'))
  await using archive = openWriter(finalFile(folder, 'archive'))
  await using _letters = openWriter(finalFile(folder, 'letters'))
  for (let index = 0; index < messages; index++) {
    const at = index / 10
    const id = idOf(index)
    const about = { id, type: 'step.taken', key: `key-${index % KEYS}`, n: Math.floor(index / KEYS), at }
    await publisher.write({ op: 'publish', phase: 'invoke', ...about, process: 'publisher' })
    await publisher.write({ op: 'publish', phase: 'ok', ...about, process: 'publisher' })
    for (const { handler } of handlers) {
      await worker.write({ op: 'delivery', handler, id, attempt: 1, at, process: 'worker' })
      await worker.write({ op: 'ack', handler, id, at, process: 'worker' })
    }
    if (index !== lost)
      await ledger.write({ op: 'effect', handler: 'large.walk', id, key: about.key, n: about.n, at, process: 'ledger' })
    const digest = index.toString(16).padStart(16, '0')
    const stored = { stream: 'STEPS', epoch: 1_795_271_400, seq: index + 1, id, digest }
    await streams.write({ ...stored, type: 'step.taken', subject: 'step.taken', time: BEGAN_AT + at })
    await archive.write(stored)
  }
  saveAbout(folder, { beganAt: BEGAN_AT, handlers })
  return idOf(lost)
}

const idOf = (index: number): string => `load-publisher-1-mia5k2c-${index.toString().padStart(8, '0')}`
