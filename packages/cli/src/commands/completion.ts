import type { Command } from 'commander'
import { listContexts } from '../connection/context.ts'

/** `malha completion <shell>`: a script, which asks `malha complete -- …` at each tab. It is added once all commands are there. */
export async function addCompletion(program: Command): Promise<void> {
  const { default: tab } = await import('@bomb.sh/tab/commander')
  const { commands } = tab(program, { completionCommandName: 'completion' })
  const contexts = await listContexts(process.env)
  // bash expands what it completes: no name that means something to it.
  const plain = contexts.filter(({ name }) => /^[\w.-]+$/.test(name))
  for (const { options } of commands.values()) {
    const option = options.get('context')
    if (option) option.handler = (complete) => plain.forEach((one) => complete(one.name, one.description))
  }
}
