/**
 * Loaded into a process that is to have a defect (`NODE_OPTIONS=--import`): changes one source as it is loaded. `CHAOS_PLANT`
 * and its companions say which and how often (`plants.ts`).
 */
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { planted, type PlantEnv, plants } from './plants.ts'

const env = process.env as unknown as PlantEnv
const plant = plants.find(({ name }) => name === env.CHAOS_PLANT)
if (!plant)
  throw new Error(`there is no plant ${env.CHAOS_PLANT}; there are ${plants.map(({ name }) => name).join(', ')}`)
const url = new URL(`../../../${plant.file}`, import.meta.url).href

registerHooks({
  load(asked, context, nextLoad) {
    const loaded = nextLoad(asked, context)
    if (asked !== url) return loaded
    const source = Buffer.from(loaded.source as Uint8Array).toString()
    return { ...loaded, source: planted(plant, source) }
  },
})

const hits = new Set<string>()
let calls = 0

/** Whether this message is one to be hit. One that was is hit again. */
function chaosPlant(id: string): boolean {
  if (hits.has(id)) return true
  const past = calls++ - Number(env.CHAOS_PLANT_FROM)
  if (past < 0 || past % Number(env.CHAOS_PLANT_EVERY) !== 0 || hits.size >= Number(env.CHAOS_PLANT_MOST)) return false
  hits.add(id)
  appendFileSync(env.CHAOS_PLANTED, `${JSON.stringify({ plant: plant!.name, id })}\n`)
  return true
}

Object.assign(globalThis, { chaosPlant })
