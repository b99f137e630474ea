/**
 * A process with a spool: publishes as many events as it is told, one line of JSON each when it was answered, and stays.
 * `node spooler.ts <file> <url> <namespace> <count>`
 */
import { connectMesh, MeshError } from '@malha/mesh'
import { order, placed } from './spool-kit.ts'

const WAVE = 10
const [file = '', servers = '', namespace = '', count = '0'] = process.argv.slice(2)
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
try {
  const mesh = await connectMesh({ servers, namespace, spool: { file } })
  say({ ready: true })
  for (let from = 0; from < Number(count); from += WAVE) {
    const wave = Array.from({ length: Math.min(WAVE, Number(count) - from) }, (_, index) => from + index)
    const publish = async (n: number): Promise<void> => {
      const { queued = false } = await mesh.publish(placed, order(n), { id: `p${n}` })
      say({ n, queued })
    }
    await Promise.all(wave.map(publish))
  }
  setInterval(() => undefined, 60_000)
} catch (error) {
  say({ code: error instanceof MeshError ? error.code : 'unknown', message: String(error) })
  process.exitCode = 1
}
