import { once } from 'node:events'

/** How values are given to another program: all of them as one JSON value, or each on a line of its own. */
export type EachAs = { json?: true | undefined; ndjson?: true | undefined }

/** Help of the option that stands beside `--json` where there may be many values, or no end of them. */
export const NDJSON = 'one JSON value a line instead, each as it comes'

/**
 * Values as they come, on stdout: as `{ "<name>": […] }`, or one a line. None is kept, and whoever reads slowly is waited for.
 * What fails in between leaves a value that does not parse.
 */
export async function printEach(
  values: AsyncIterable<unknown> | Iterable<unknown>,
  { name, ndjson }: EachAs & { name: string },
): Promise<void> {
  if (ndjson) {
    for await (const value of values) await write(`${JSON.stringify(value)}\n`)
    return
  }
  await write(`{${JSON.stringify(name)}:[`)
  let isFirst = true
  for await (const value of values) {
    await write(`${isFirst ? '' : ','}${JSON.stringify(value)}`)
    isFirst = false
  }
  await write(']}\n')
}

/** On stdout, waiting for whoever reads it. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text) && !process.stdout.destroyed)
    await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')])
}
