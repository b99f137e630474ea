import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadContracts } from '../../src/contracts/load-contracts.ts'

let folder = ''
const mesh = pathToFileURL(join(import.meta.dirname, '../../../mesh/src/index.ts')).href
const BASE = `
  import { event, stream } from '${mesh}'
  const plain = { '~standard': { version: 1, vendor: 't', validate: (value: unknown) => ({ value }) } } as const
  const orders = stream('ORDERS', { subjects: ['order.>'] })
`
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'contracts-'))
  await writeFile(
    join(folder, 'contracts.ts'),
    `${BASE}
    export const placed = event('order.placed', { stream: orders, schema: plain })
    export const all = { placed, more: [event('order.paid', { stream: orders, schema: plain })] }
    export const other = 7
    export default placed`,
  )
  await writeFile(join(folder, 'none.ts'), 'export const other = 7')
  await writeFile(join(folder, 'broken.ts'), "throw new Error('it needs a variable')")
})
afterAll(() => rm(folder, { recursive: true }))

it('takes every contract that a TypeScript module exports, in lists and objects too, each once', async () => {
  const contracts = await loadContracts(join(folder, 'contracts.ts'))
  expect(contracts.map(({ type }) => type).sort()).toEqual(['order.paid', 'order.placed'])
})

it.each([
  ['none.ts', /exports no contract/],
  ['broken.ts', /cannot be imported: it needs a variable/],
  ['missing.ts', /is no file, and no package/],
])('says of %s what is wrong with it', async (file, expected) => {
  await expect(loadContracts(join(folder, file))).rejects.toThrow(expected)
})
