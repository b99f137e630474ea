import { posix } from 'node:path'
import type { Deployment } from './deployment.ts'
import { DeploymentError } from './errors.ts'

/** Text by path, below the folder of what is generated: `nats/permissions.conf`. Without the first line, which says who made it. */
export type GeneratedFiles = Readonly<Record<string, string>>

/** Makes some of the files of a deployment: pure, and the same text for the same deployment. */
export type Generator = (deployment: Deployment) => GeneratedFiles

const WARNING = 'what is changed here is lost. Tune it outside of this folder.'
const MADE_BY = `Made by "malha deploy generate"; ${WARNING}`

/** The comments of what may be generated. */
const COMMENTS: Readonly<Record<string, (text: string) => string>> = {
  '.conf': (text) => `# ${text}`,
  '.yaml': (text) => `# ${text}`,
  '.md': (text) => `<!-- ${text} -->`,
  // It has no comments: a first member that nothing reads. What follows is an object without its first brace.
  '.json': (text) => `{ "//": ${JSON.stringify(text)},`,
}

/**
 * All files of a deployment by path, in the order of their paths. Writes nothing.
 * @param by @default all there are, loaded now: whoever generates nothing need not wait for them
 * @throws DeploymentError DEPLOYMENT_FILES when two generators make one file, or one of a kind without comments
 */
export async function generate(deployment: Deployment, by?: readonly Generator[]): Promise<Map<string, string>> {
  by ??= (await import('./generators.ts')).generators
  const files = new Map<string, string>()
  for (const generator of by)
    for (const [path, text] of Object.entries(generator(deployment))) {
      if (files.has(path))
        throw new DeploymentError('DEPLOYMENT_FILES', `${path} is made by two generators; rename one`)
      files.set(path, `${firstLineOf(path)}\n${bodyOf(path, text)}\n`)
    }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Whether a text is one that `generate` made, so that it may be removed when nothing makes it any more. */
export const isGenerated = (text: string): boolean => text.slice(0, text.indexOf('\n')).includes(WARNING)

function bodyOf(path: string, text: string): string {
  return posix.extname(path) === '.json' ? text.trim().replace(/^\{\n?/, '') : text.trimEnd()
}

function firstLineOf(path: string): string {
  const comment = COMMENTS[posix.extname(path)]
  if (comment) return comment(MADE_BY)
  throw new DeploymentError(
    'DEPLOYMENT_FILES',
    `${path} cannot say in its first line who made it; make it a .yaml, .json, .conf or .md`,
  )
}
