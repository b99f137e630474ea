import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { describe, expect, it } from 'vitest'
import { rules } from '../checker/rules.ts'
import { planted, plants } from './plants.ts'

const sourceOf = (file: string): Promise<string> => readFile(new URL(`../../../${file}`, import.meta.url), 'utf8')

describe('planted defects', () => {
  it.each(plants)('$name finds its place in the source, and leaves one that can be run', async (plant) => {
    const source = planted(plant, await sourceOf(plant.file))
    expect(stripTypeScriptTypes(source)).toContain('chaosPlant(')
  })

  it('there is one for each rule', () => {
    expect(plants.map(({ rule }) => rule).toSorted()).toEqual(rules.map(({ name }) => name).toSorted())
  })

  it('one whose place is gone says so', () => {
    expect(() => planted(plants[0]!, 'nothing of it')).toThrow(
      'finds its place 0 times in test/chaos/workload/worker.ts',
    )
  })
})
