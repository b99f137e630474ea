import type { Command } from 'commander'
import { expect, it } from 'vitest'
import { createProgram } from '../src/program.ts'

/** As wide as the page. */
const WIDTH = 100

/** With all below them. */
const within = ({ commands }: Command): Command[] => commands.flatMap((one) => [one, ...within(one)])

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name()
}

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => void (text += part),
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  })
  command.outputHelp()
  return text.trim()
}

/** Loading every command takes a moment where much else runs. */
const LOADING_MS = 30_000
const HIDDEN = new Set(['complete', 'help'])
const commandsOf = async (): Promise<Command[]> =>
  within(await createProgram([])).filter((one) => !HIDDEN.has(one.name()))

it(
  'the reference has the help of every command as it is (after a change: vitest -u)',
  { timeout: LOADING_MS },
  async () => {
    const sections = (await commandsOf()).map((one) => `## ${nameOf(one)}\n\n\`\`\`text\n${helpOf(one)}\n\`\`\`\n`)
    await expect(`${INTRODUCTION}\n${sections.join('\n')}`).toMatchFileSnapshot('../../../docs/reference/cli.md')
  },
)

it(
  'every command has examples and its exit codes in its help, and one that connects takes a context',
  { timeout: LOADING_MS },
  async () => {
    const commands = await commandsOf()
    // The shells' own, by its library.
    const own = commands.filter((one) => one.commands.length === 0 && one.name() !== 'completion')
    expect(own.length).toBeGreaterThan(15)
    const without = (text: string): string[] => own.filter((one) => !helpOf(one).includes(text)).map(nameOf)
    expect(without('\nExamples:')).toEqual([])
    expect(without('\nExit codes: ')).toEqual([])
    const connecting = own.filter((one) => one.options.some(({ long }) => long === '--server'))
    expect(connecting.filter((one) => !one.options.some(({ long }) => long === '--context')).map(nameOf)).toEqual([])
  },
)

const INTRODUCTION = `# The command

\`malha\` (\`./malha\` in a clone) is for people at a terminal and for scripts. Results are on stdout, all else on stderr.
\`--json\` gives one JSON value on stdout (of \`malha test\` a line of it, before the count of tests), \`--ndjson\` a value a line where
there may be many; nothing is coloured outside a terminal.

Commands that look change nothing. Those that act write down who did it (\`--who\`) and why (\`--reason\`).

## Exit codes

| code | means                                                                                                       |
| ---- | ----------------------------------------------------------------------------------------------------------- |
| 0    | it is done, or the answer is yes                                                                            |
| 1    | an error: the message has a [code](errors.md) and what to do                                                |
| 3    | it ran, and the answer is no: incompatible, refused, some failed again, worth a look (each help says which) |
| 4    | of \`malha doctor\`: something is broken                                                                      |
| 130  | stopped by Ctrl-C                                                                                           |

## Connections

\`--server\`, \`--creds\` and \`--namespace\` say where a mesh is; what they leave open the
[environment](configuration.md) says, as for a service. \`--context <name>\`, or \`MALHA_CONTEXT\`, names a connection instead: it
stands for all \`NATS_…\` variables. See [connect by a name](../how-to/connect-by-a-name.md).
`
