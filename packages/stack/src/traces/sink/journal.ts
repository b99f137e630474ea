import { createReadStream } from 'node:fs'
import { mkdir, open, rename, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { readRequest, toResourceSpans } from './otlp.ts'
import type { TraceStore } from './store.ts'

export interface Journal {
  /** Appends one export request; settles when the kernel has it, so that a kill of this process loses nothing. */
  append(request: string): Promise<void>
  close(): Promise<void>
}

export const noJournal: Journal = { append: async () => {}, close: async () => {} }

/**
 * A file of export requests, one a line. Reads into `store` what is there, then appends to it. It is written anew from the
 * store when it has grown past `maxBytes`.
 */
export async function openJournal(file: string, store: TraceStore, maxBytes: number): Promise<Journal> {
  await mkdir(dirname(file), { recursive: true })
  await readInto(store, file)
  let handle: FileHandle = await rewrite(file, store)
  let { size } = await handle.stat()
  let turn: Promise<void> = Promise.resolve()

  const write = async (request: string): Promise<void> => {
    const line = `${request.replaceAll(/[\r\n]+/g, ' ')}\n`
    await handle.appendFile(line)
    size += Buffer.byteLength(line)
    if (size <= maxBytes) return
    await handle.close()
    handle = await rewrite(file, store)
    size = (await handle.stat()).size
  }
  return {
    append(request) {
      const mine = turn.then(() => write(request))
      turn = mine.catch(() => {})
      return mine
    },
    async close() {
      await turn
      await handle.close()
    },
  }
}

/** A line cut short by a kill is left out. */
async function readInto(store: TraceStore, file: string): Promise<void> {
  const input = createReadStream(file)
  const missing = await new Promise<boolean>((resolve) => {
    input.once('open', () => resolve(false))
    input.once('error', () => resolve(true))
  })
  if (missing) return
  for await (const line of createInterface({ input })) {
    try {
      store.add(readRequest(JSON.parse(line)).spans, Buffer.byteLength(line))
    } catch {
      continue
    }
  }
}

async function rewrite(file: string, store: TraceStore): Promise<FileHandle> {
  const lines = [...store.all()].map(({ spans }) => JSON.stringify({ resourceSpans: toResourceSpans(spans.values()) }))
  await writeFile(`${file}.new`, lines.map((line) => `${line}\n`).join(''))
  await rename(`${file}.new`, file)
  return open(file, 'a')
}
