import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The clone this file is part of. */
export const root: string = fileURLToPath(new URL('../../../..', import.meta.url))

/** Where the tools of the workspace are. */
export const bin: string = join(root, 'node_modules', '.bin')

/** Folders of the packages that are published, below the root. */
export async function publishedPackages(): Promise<string[]> {
  const folders = (await readdir(join(root, 'packages'))).sort().map((name) => join('packages', name))
  const published: string[] = []
  for (const folder of folders) {
    const text = await readFile(join(root, folder, 'package.json'), 'utf8').catch(() => undefined)
    if (text !== undefined && (JSON.parse(text) as { private?: boolean }).private !== true) published.push(folder)
  }
  return published
}
