import { closeSync, openSync, readSync } from 'node:fs'

const CHUNK_BYTES = 1024 ** 2
const NEWLINE = 10

/**
 * The lines of a file without their ends, one by one, so that a file may be larger than memory. What stands behind the
 * last newline is a line too.
 */
export function* readLines(file: string): Generator<string> {
  const descriptor = openSync(file, 'r')
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    let begun: Buffer[] = []
    for (;;) {
      const read = readSync(descriptor, chunk, 0, chunk.length, null)
      if (read === 0) break
      let from = 0
      for (let to = chunk.indexOf(NEWLINE); to !== -1 && to < read; to = chunk.indexOf(NEWLINE, from)) {
        const end = chunk.subarray(from, to)
        yield begun.length === 0 ? end.toString() : Buffer.concat([...begun, end]).toString()
        begun = []
        from = to + 1
      }
      if (from < read) begun.push(Buffer.from(chunk.subarray(from, read)))
    }
    if (begun.length > 0) yield Buffer.concat(begun).toString()
  } finally {
    closeSync(descriptor)
  }
}
