import { readdir } from 'node:fs/promises'
import type { Found } from './run-case.ts'
import type { Scenario } from './scenario.ts'

const FOLDER = new URL('scenarios/', import.meta.url)

/** Every scenario there is a folder of, by name. */
export async function findScenarios(): Promise<Found[]> {
  const names = (await readdir(FOLDER, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  return await Promise.all(
    names
      .map((entry) => entry.name)
      .sort()
      .map(async (name) => {
        const folder = new URL(`${name}/`, FOLDER)
        const { scenario } = (await import(new URL('scenario.ts', folder).href)) as { scenario: Scenario }
        return { name, folder, scenario }
      }),
  )
}

/** Those that are asked for, in the order they are run. @throws Error naming those there are */
export function chosenOf(all: readonly Found[], only: readonly string[] | undefined): Found[] {
  const unknown = only?.filter((name) => !all.some((found) => found.name === name)) ?? []
  if (unknown.length > 0)
    throw new Error(`There is no scenario ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}.`)
  return all.filter(({ name }) => only === undefined || only.includes(name))
}
