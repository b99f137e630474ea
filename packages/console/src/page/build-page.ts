import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, stop } from 'esbuild'

/** The sources of the page; in a clone alone. */
const sources = fileURLToPath(new URL('../../page/', import.meta.url))

/** Bundles the page, in about a tenth of a second. Paths as they are served, with what is in them. */
export async function buildPage(): Promise<Map<string, Buffer>> {
  const { outputFiles } = await build({
    entryPoints: { page: `${sources}main.tsx` },
    tsconfig: `${sources}tsconfig.json`,
    outdir: '/assets',
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    // What few pages need is fetched by those.
    splitting: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    legalComments: 'inline',
    logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  await stop()
  const files = new Map(outputFiles.map(({ path, contents }) => [`/assets/${basename(path)}`, Buffer.from(contents)]))
  const named = (ending: string): string =>
    [...files.keys()].find((path) => path.startsWith('/assets/page-') && path.endsWith(ending)) ?? ''
  const shell = await readFile(`${sources}index.html`, 'utf8')
  const html = shell.replace('/main.css', named('.css')).replace('/main.tsx', named('.js'))
  files.set('/index.html', Buffer.from(html))
  files.set('/favicon.svg', await readFile(`${sources}favicon.svg`))
  return files
}
