/**
 * Loaded into a process whose wall clock is to jump (`NODE_OPTIONS=--import`): `Date` is off by what the file
 * `CHAOS_CLOCK` says, in ms, from the start and from each SIGUSR2 on. Monotonic clocks go on as they did.
 */
import { readFileSync } from 'node:fs'

const file = process.env['CHAOS_CLOCK']!
const RealDate = Date
let offMs = 0

function read(): void {
  try {
    offMs = Number(readFileSync(file, 'utf8'))
  } catch {
    offMs = 0
  }
}

const now = (): number => RealDate.now() + offMs

// A proxy and no subclass: what native code makes stays an instance of it.
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: [], newTarget: typeof Date) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, property) => (property === 'now' ? now : (Reflect.get(target, property) as unknown)),
})

read()
process.on('SIGUSR2', read)
