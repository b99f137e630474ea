/** Builds the page into `dist`, for the package. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPage } from './build-page.ts'

const folder = fileURLToPath(new URL('../../dist/page-built/', import.meta.url))
await rm(folder, { recursive: true, force: true })
for (const [path, body] of await buildPage()) {
  const file = join(folder, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, body)
}
