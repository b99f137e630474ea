import { expect, test } from 'vitest'
import { readText } from './pages.ts'

const page = readText('docs/reference/library.md')

/** What a type, an interface or a declared class of a source has: its own keys, in code and not in comments. */
function keysOf(file: string, name: string): string[] {
  const source = readText(`packages/mesh/src/${file}`).replaceAll(/\/\*\*[^]*?\*\//g, '')
  const body = new RegExp(
    `^export (?:type|interface|declare abstract class) ${name}\\b[^{]*\\{\\n([^]*?)^\\}`,
    'm',
  ).exec(source)?.[1]
  if (body === undefined) throw new Error(`${file} has no ${name}`)
  return [...new Set([...body.matchAll(/^ {2}(?:readonly |get )?([a-zA-Z]+)(?=[?:(<])/gm)].map((match) => match[1]!))]
}

test.each([
  ['topology/stream.ts', 'StreamOptions'],
  ['message/contract.ts', 'ContractOptions'],
  ['service/define.ts', 'ServiceOptions'],
  ['service/define.ts', 'HandlerOptions'],
  ['service/context.ts', 'HandlerContext'],
  ['publish/outgoing.ts', 'PublishOptions'],
  ['delay/delay.ts', 'DelayOptions'],
  ['delay/api.ts', 'DelayApi'],
  ['lifecycle/mesh.ts', 'Mesh'],
  ['lifecycle/start-service.ts', 'RunningService'],
])('the library at a glance names all of %s %s', (file, name) => {
  const keys = keysOf(file, name)
  expect(keys.length).toBeGreaterThan(2)
  expect(keys.filter((key) => !page.includes(`\`${key}\``))).toEqual([])
})
