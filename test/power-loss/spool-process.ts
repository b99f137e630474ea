/**
 * A process that publishes into its spool (`MALHA_SPOOL_FILE`), its broker being away, and says the id of each event when its
 * publish has resolved. Then it waits to be killed.
 */
import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { connectMesh, meshOptions } from '@malha/mesh'
import { meterRead, reading } from './load.ts'

const EVENTS = Number(process.env['EVENTS'])
const LANES = 12

const say = (line: string): void => void writeSync(1, `${line}\n`)

const mesh = await connectMesh(meshOptions(process.env))
let next = 0
const lane = async (): Promise<void> => {
  while (next < EVENTS) {
    const { id, queued } = await mesh.publish(meterRead, reading(next), { id: `spooled-${next++}` })
    say(queued ? `queued ${id}` : `not queued ${id}`)
    // As calls come in from outside: not all at once, so that many commits are made.
    await pause(Number(id.at(-1)))
  }
}
await Promise.all(Array.from({ length: LANES }, lane))
say('done')
await new Promise(() => undefined)
