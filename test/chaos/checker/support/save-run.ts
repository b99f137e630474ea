import { join } from 'node:path'
import { finalFile, operationsFolder, saveAbout } from '../../history/saved-run.ts'
import { openWriter } from '../../history/write-lines.ts'
import type { Run } from './valid-run.ts'

/** Saves a run as one that really ran leaves it. */
export async function saveRun(folder: string, { operations, final }: Run): Promise<void> {
  const files: [string, Iterable<object>][] = [
    ...Map.groupBy(operations, (one) => ('process' in one ? one.process : 'nemeses'))
      .entries()
      .map(([process, its]): [string, Iterable<object>] => [join(operationsFolder(folder), `${process}.jsonl`), its]),
    [finalFile(folder, 'streams'), final.streams],
    [finalFile(folder, 'letters'), final.letters],
    [finalFile(folder, 'archive'), final.archive],
  ]
  for (const [file, values] of files) {
    await using writer = openWriter(file)
    for (const value of values) await writer.write(value)
  }
  saveAbout(folder, final)
}
