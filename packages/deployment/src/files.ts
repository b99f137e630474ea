import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { isGenerated } from './generate.ts'

/** How a file in a folder differs from what is generated now. */
export type Difference = { readonly path: string; readonly how: 'missing' | 'changed' | 'left over' }

/** Which files of a folder are not as they would be written now. What a person put there, under another first line, is none of it. */
export async function differences(folder: string, files: ReadonlyMap<string, string>): Promise<Difference[]> {
  const there = await readFolder(folder)
  const found: Difference[] = []
  for (const [path, text] of files) {
    const now = there.get(path)
    if (now === undefined) found.push({ path, how: 'missing' })
    else if (now !== text) found.push({ path, how: 'changed' })
  }
  for (const [path, text] of there) if (!files.has(path) && isGenerated(text)) found.push({ path, how: 'left over' })
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Makes a folder as generated, and removes what was generated once and is no longer. Returns what it changed. */
export async function writeFiles(folder: string, files: ReadonlyMap<string, string>): Promise<Difference[]> {
  const changes = await differences(folder, files)
  for (const { path, how } of changes) {
    const file = join(folder, path)
    if (how === 'left over') {
      await rm(file)
      continue
    }
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, files.get(path)!)
  }
  return changes
}

async function readFolder(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  const files = new Map<string, string>()
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = join(entry.parentPath, entry.name)
    files.set(file.slice(join(folder, sep).length).split(sep).join('/'), await readFile(file, 'utf8'))
  }
  return files
}
