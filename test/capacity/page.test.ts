import { planCapacity } from '@malha/deployment'
import { expect, test, vi } from 'vitest'
import { createProgram } from '../../packages/cli/src/program.ts'
import { examples } from './examples.ts'
import { pageOf, plotsOf, readPage, readPlot } from './page.ts'

test('the page of capacity says what is computed: node test/capacity/page.ts writes it anew', async () => {
  const page = await readPage()
  expect(pageOf(page)).toBe(page)
  for (const name of Object.keys(examples)) expect(page).toContain(`<!-- end ${name} -->`)
  for (const [name, svg] of Object.entries(plotsOf())) expect(await readPlot(name)).toBe(svg)
})

test.each(Object.entries(examples))('the command of the example %s says its load', async (_, { command, load }) => {
  let out = ''
  using _stdout = vi.spyOn(process.stdout, 'write').mockImplementation((part) => ((out += String(part)), true))
  const argv = command.replaceAll('\\\n', ' ').split(/\s+/).slice(1)
  const program = await createProgram(argv)
  await program.parseAsync([...argv, '--json'], { from: 'user' })
  process.exitCode = undefined
  expect(JSON.parse(out)).toMatchObject(JSON.parse(JSON.stringify({ load: planCapacity(load).load })) as object)
})
