import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConsoleError } from '../errors.ts'

/** A file of the page, as it is served. */
export type PageFile = {
  readonly type: string
  readonly body: Buffer
  readonly etag: string
  /** Its name changes with what is in it. */
  readonly isForGood: boolean
}

/** The page by paths: as it was built for a package, or built now from the sources of a clone. */
export async function pageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const files = (await builtBefore()) ?? (await buildNow())
  return new Map([...files].map(([path, body]) => [path, fileOf(path, body)]))
}

const folder = fileURLToPath(new URL('../page-built/', import.meta.url))

async function builtBefore(): Promise<Map<string, Buffer> | undefined> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => undefined)
  if (!names) return undefined
  const files = names.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const read = files.map(async (file) => [`/${file.slice(folder.length)}`, await readFile(file)] as const)
  return new Map(await Promise.all(read))
}

/** Once a process: of two builds at a time, the one that ends first would end the other's esbuild. */
let built: Promise<Map<string, Buffer>> | undefined

async function buildNow(): Promise<Map<string, Buffer>> {
  built ??= build()
  return await built
}

async function build(): Promise<Map<string, Buffer>> {
  try {
    const { buildPage } = await import('./build-page.ts')
    return await buildPage()
  } catch (cause) {
    throw new ConsoleError('CONSOLE_PAGE_MISSING', 'the page was not built, and cannot be built here', { cause })
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

function fileOf(path: string, body: Buffer): PageFile {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  return {
    type: TYPES[extname(path)] ?? 'application/octet-stream',
    body,
    etag,
    isForGood: /^\/assets\/.+-[0-9A-Z]{8}\.(js|css)$/.test(path),
  }
}
