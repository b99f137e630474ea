import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

const SKIPPED = new Set(['node_modules', 'dist', '.git', '.malha', 'coverage'])

/** A Markdown page of the repository. */
export type Page = { readonly path: string; readonly text: string }

export const readText = (path: string): string => readFileSync(join(root, path), 'utf8')

/** Every Markdown file under `folder`, paths relative to the root. */
export function pages(folder = '.'): Page[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry): Page[] => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : pages(path)
      return entry.name.endsWith('.md') ? [{ path, text: readText(path) }] : []
    })
    .sort((a, b) => a.path.localeCompare(b.path))
}

/** A fenced block: its info string and its lines. */
export type Fence = { readonly info: string; readonly body: string; readonly line: number }

export function fences(text: string): Fence[] {
  return [...text.matchAll(/^```([^\n]*)\n([^]*?)^```$/gm)].map((match) => ({
    info: match[1]!.trim(),
    body: match[2]!,
    line: text.slice(0, match.index).split('\n').length,
  }))
}

/** Headings as GitHub makes anchors of them. */
export function anchors(text: string): Set<string> {
  const plain = text.replace(/^```[^]*?^```$/gm, '')
  const seen = new Map<string, number>()
  const found = new Set<string>()
  for (const [, heading] of plain.matchAll(/^#{1,6} (.+)$/gm)) {
    const words = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const slug = words
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    found.add(count === 0 ? slug : `${slug}-${count}`)
  }
  return found
}

/** Where a relative link of a page leads: a path from the root, and the anchor if it has one. */
export type Link = { readonly target: string; readonly path: string; readonly anchor: string | undefined }

export function relativeLinks(page: Page): Link[] {
  const plain = page.text.replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
  return [...plain.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]!)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .map((target) => {
      const [file = '', anchor] = target.split('#', 2)
      const path = file === '' ? page.path : relative(root, join(root, dirname(page.path), file))
      return { target, path, anchor }
    })
}
