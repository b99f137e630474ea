import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { anchors, pages, readText, relativeLinks, root } from './pages.ts'

test.each(pages().map((page) => [page.path, page] as const))(
  'every relative link of %s leads somewhere',
  (_path, page) => {
    const broken = relativeLinks(page).filter(({ path, anchor }) => {
      if (!existsSync(join(root, path))) return true
      return anchor !== undefined && path.endsWith('.md') && !anchors(readText(path)).has(anchor)
    })
    expect(broken.map(({ target }) => target)).toEqual([])
  },
)

test('every page of docs is reachable from docs/README.md', () => {
  const reached = new Set<string>(['docs/README.md'])
  for (const path of reached) {
    if (!path.endsWith('.md') || !existsSync(join(root, path))) continue
    for (const link of relativeLinks({ path, text: readText(path) })) reached.add(link.path)
  }
  expect(
    pages('docs')
      .map(({ path }) => path)
      .filter((path) => !reached.has(path)),
  ).toEqual([])
})
