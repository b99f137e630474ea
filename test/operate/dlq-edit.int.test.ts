import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineService, on, Reject } from '@malha/mesh'
import { openOperations } from '@malha/operations'
import { eventually } from '@malha/testing'
import { afterEach, expect, it, vi } from 'vitest'
import { createProgram } from '../../packages/cli/src/program.ts'
import { deployedServer } from '../deploy/deployed-server.ts'
import { placed } from './contracts.ts'

const isTerminal = Object.getOwnPropertyDescriptor(process.stdin, 'isTTY')
// Other tests may share this process.
afterEach(() => {
  vi.unstubAllEnvs()
  if (isTerminal) Object.defineProperty(process.stdin, 'isTTY', isTerminal)
  else Reflect.deleteProperty(process.stdin, 'isTTY')
})

it('dlq edit opens the payload in the user’s editor; one that fails, changes nothing or leaves no JSON leaves the letter as it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'malha edit '))
  await using cleaning = new AsyncDisposableStack()
  cleaning.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const bill = on(placed, { startFrom: 'all' }, ({ n }) => Promise.reject(new Reject(`order ${n} has no price`)))
  const shop = defineService('shop', { handlers: { bill } })
  await using server = await deployedServer([shop])
  const running = await (await server.connect('shop')).start(shop)
  await (await server.connect('admin')).publish(placed, { n: 1 })
  using operations = await openOperations(await server.connect('viewer', { topology: 'none' }))
  await eventually(async () => {
    await operations.letters.refresh()
    expect(operations.letters.list().total).toBe(1)
  })
  for (const [name, value] of Object.entries(server.as('operator'))) vi.stubEnv(name, value)
  vi.stubEnv('MALHA_CACHE', folder)
  vi.stubEnv('TMPDIR', folder)
  const files = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.startsWith('malha-edit-'))
  /** With `EDITOR` as this script; `$1` is its own argument, `$2` the file. */
  const edit = async (script: string): Promise<void> => {
    const editor = join(folder, 'editor')
    await writeFile(editor, `#!/bin/sh\nset -e\n${script}\n`)
    await chmod(editor, 0o700)
    vi.stubEnv('VISUAL', `'${editor}' --wait`)
    const argv = ['dlq', 'edit', '1', '--no-redrive', '--reason', 'a price', '--json']
    using _stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    await (await createProgram(argv)).parseAsync(argv, { from: 'user' })
  }
  const payload = async (): Promise<string> => {
    await operations.letters.refresh()
    return Buffer.from(await operations.letters.payloadToSend(1)).toString()
  }

  Object.defineProperty(process.stdin, 'isTTY', { value: false, configurable: true })
  await expect(edit('exit 0')).rejects.toThrow(/^this is no terminal; .*--payload-file/)
  Object.defineProperty(process.stdin, 'isTTY', { value: true, configurable: true })
  await expect(edit('echo "{}" > "$2"; exit 3')).rejects.toThrow(/ended with 3; nothing was changed/)
  await expect(edit('kill -TERM $$')).rejects.toThrow(/ended with .*; nothing was changed/)
  await expect(edit('true')).rejects.toThrow(/OPERATIONS_EDIT_REFUSED: nothing was changed/)
  await expect(edit('echo "{" > "$2"')).rejects.toThrow(/OPERATIONS_EDIT_REFUSED/)
  // By what the services said, as in the console.
  await eventually(async () => await operations.contracts.read('order.placed'))
  await expect(edit(`echo '{ "n": "1" }' > "$2"`)).rejects.toThrow(/does not fit order.placed\/1: .*n must be number/)
  await expect(edit(`echo '{ "n": 2 }' > "$2"`)).rejects.toThrow(/its key would be "o-2" in place of "o-1"/)
  expect(await payload()).toBe('{"n":1}')

  await edit(
    `cp "$2" '${folder}/shown'; stat -c %a "$2" > '${folder}/mode'; echo "$1" > '${folder}/argument'; echo '{ "n": 1, "by": "hand" }' > "$2"`,
  )
  expect(JSON.parse(await payload())).toEqual({ n: 1, by: 'hand' })
  expect(await readFile(join(folder, 'shown'), 'utf8')).toBe('{\n  "n": 1\n}\n')
  expect(await readFile(join(folder, 'mode'), 'utf8')).toBe('600\n')
  expect(await readFile(join(folder, 'argument'), 'utf8')).toBe('--wait\n')
  expect(await files()).toEqual([])
  await running.stop()
})
