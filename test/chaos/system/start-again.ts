import { setTimeout as sleep } from 'node:timers/promises'
import type { ChaosProcess } from '../system.ts'

const START_TRIES = 5
const START_PAUSE_MS = 2_000

/** A broker gives up when it finds no other within half a minute, which another harm may keep it from. */
export async function startAgain(process: ChaosProcess): Promise<void> {
  for (let triesLeft = START_TRIES; ; triesLeft -= 1) {
    try {
      return await process.start()
    } catch (error) {
      if (triesLeft === 1) throw error
      await sleep(START_PAUSE_MS)
    }
  }
}
