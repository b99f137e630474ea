import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { expect, it } from 'vitest'
import { createProgram } from '../src/program.ts'

const FOLDER = fileURLToPath(new URL('../../../docs/runbooks', import.meta.url))

/** Commands in blocks of `sh`, and inline. */
function commandsOf(page: string): string[] {
  const text = readFileSync(join(FOLDER, page), 'utf8')
  const blocks = [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, body]) => body!.trim().split('\n'))
  const inline = [...text.replace(/^```[^]*?^```$/gm, '').matchAll(/`(malha [^`]+)`/g)].map(([, command]) => command!)
  return [...blocks, ...inline]
}

/** Words as a shell makes them, quoted ones whole. */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)

const belowOf = (command: Command, name: string | undefined): Command | undefined =>
  command.commands.find((one) => one.name() === name)

/** Why a line is none of the command's, or undefined. */
function faultOf(program: Command, line: string): string | undefined {
  const [name, ...rest] = words(line)
  if (name !== 'malha') return 'begins with another command than malha'
  let command = program
  for (let below = belowOf(command, rest[0]); below; below = belowOf(command, rest[0])) {
    command = below
    rest.shift()
  }
  if (rest.includes('--help')) return undefined
  if (command.commands.length > 0 && command.registeredArguments.length === 0)
    return `${command.name()} needs a command`
  const { operands, unknown } = command.parseOptions(rest)
  if (unknown.length > 0) return `${command.name()} has no ${unknown[0]}`
  const needed = command.registeredArguments.filter(({ required }) => required).length
  if (operands.length < needed) return `${command.name()} needs ${needed} arguments`
  if (operands.length > command.registeredArguments.length) return `${command.name()} takes no ${operands.at(-1)}`
  return undefined
}

it(
  'every command of every runbook exists, with its options and as many arguments as it takes',
  { timeout: 30_000 },
  async () => {
    const faults: string[] = []
    for (const page of readdirSync(FOLDER)) {
      const commands = commandsOf(page)
      if (page !== 'README.md' && commands.length === 0) faults.push(`${page} has no command`)
      for (const line of commands) {
        // A parsed option stays with its command.
        const fault = faultOf(await createProgram([]), line)
        if (fault !== undefined) faults.push(`${page}: ${line}: ${fault}`)
      }
    }
    expect(faults).toEqual([])
  },
)

it('a command that does not exist is found', async () => {
  const program = await createProgram([])
  expect(faultOf(program, 'malha dlq burn 17')).toContain('needs a command')
  expect(faultOf(program, 'malha dlq list --stale')).toBe('list has no --stale')
  expect(faultOf(program, 'malha why')).toBe('why needs 1 arguments')
  expect(faultOf(program, 'malha why a b')).toBe('why takes no b')
})
