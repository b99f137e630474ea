/**
 * Loaded into a process of a roll (`NODE_OPTIONS=--import`): writes down each stage of each delivery, a line each, which is
 * in the file when the process goes on. Imports nothing of the project, as the process may be of another revision.
 */
import { subscribe } from 'node:diagnostics_channel'
import { openSync, writeSync } from 'node:fs'

/** One stage of a delivery. `at`: Unix ms. `handler`: `<service>.<name>`. */
export type StageLine = { stage: string; handler: string; stream: string; seq: number; at: number; process: string }

type Told = { stage: string; service: string; handler: string; stream: string; seq: number }

const { ROLL_STAGES: file, ROLL_PROCESS: name = '' } = process.env
if (file !== undefined) {
  const fd = openSync(file, 'a')
  subscribe('malha:delivery', (message) => {
    const { stage, service, handler, stream, seq } = message as Told
    if (stage !== 'delivered' && stage !== 'settled') return
    const at = performance.timeOrigin + performance.now()
    const line: StageLine = { stage, handler: `${service}.${handler}`, stream, seq, at, process: name }
    writeSync(fd, `${JSON.stringify(line)}\n`)
  })
}
