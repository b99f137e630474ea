import { createWriteStream, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'

/** One log file a process, appended to, so that a second run adds to the first's. */
export interface LogFiles extends AsyncDisposable {
  readonly folder: string
  /** Takes one line of a process. */
  write(name: string, line: string): void
}

/** @param echo Hears every line too, e.g. for `--verbose`. */
export function openLogFiles(folder: string, echo: (name: string, line: string) => void = () => {}): LogFiles {
  const files = new Map<string, WriteStream>()
  const fileOf = (name: string): WriteStream => {
    const known = files.get(name)
    if (known) return known
    const file = createWriteStream(join(folder, `${name}.log`), { flags: 'a' })
    // A log that cannot be written must not end what is logged.
    file.on('error', (error) => echo(name, `its log is not written: ${error.message}`))
    files.set(name, file)
    return file
  }
  return {
    folder,
    write(name, line) {
      fileOf(name).write(`${line}\n`)
      echo(name, line)
    },
    async [Symbol.asyncDispose]() {
      const closed = [...files.values()].map(async (file) => {
        file.end()
        if (!file.closed && !file.errored) await once(file, 'close').catch(() => undefined)
      })
      await Promise.all(closed)
    },
  }
}
