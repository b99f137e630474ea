import type { Command } from 'commander'

/** `malha completion <shell>`: a script, which asks `malha complete -- …` at each tab. It is added once all commands are there. */
export async function addCompletion(program: Command): Promise<void> {
  const { default: tab } = await import('@bomb.sh/tab/commander')
  tab(program, { completionCommandName: 'completion' })
}
