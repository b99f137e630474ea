import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Parser } from '@asyncapi/parser'
import { deployment } from '@malha/deploy'
import { differences, generate } from '@malha/deployment'
import { expect, it } from 'vitest'
import { root } from '../docs/pages.ts'

const generated = join(root, 'deploy/generated')

it('what is generated is what the services say now (after a change: malha deploy generate)', async () => {
  expect(await differences(generated, await generate(deployment))).toEqual([])
})

// The parser reads AsyncAPI's own schemas first: seconds on a busy machine.
it(
  'the contracts of the reference mesh are a document that the parser of AsyncAPI takes',
  { timeout: 60_000 },
  async () => {
    const { diagnostics } = await new Parser().parse(await readFile(join(generated, 'asyncapi/malha.yaml'), 'utf8'))
    expect(diagnostics.filter(({ severity }) => [0, 1].includes(severity))).toEqual([])
  },
)
