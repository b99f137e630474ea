import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

/** Writes values into a file, one line of JSON each. Disposing it closes the file. */
export interface LineWriter<T> extends AsyncDisposable {
  write(value: T): Promise<void>
}

/** @param file is made anew */
export function openWriter<T>(file: string): LineWriter<T> {
  const out = createWriteStream(file, { highWaterMark: 1024 ** 2 })
  return {
    async write(value) {
      if (!out.write(`${JSON.stringify(value)}\n`)) await once(out, 'drain')
    },
    async [Symbol.asyncDispose]() {
      out.end()
      await finished(out)
    },
  }
}
