import { createWriteStream } from 'node:fs'
import { join } from 'node:path'

/** Writes lines to a file of each name in a folder that is there. */
export const logFiles =
  (folder: string) =>
  (name: string): ((line: string) => void) => {
    const file = createWriteStream(join(folder, `${name}.log`), { flags: 'a' })
    return (line) => void file.write(`${line}\n`)
  }
