import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import getPort from 'get-port'
import { portTaken, StackError } from './errors.ts'
import type { Child } from './process/spawn.ts'

/** Below the range from which kernels give ports to outgoing connections, so that none is lost between here and `listen`. */
const FIRST = 12_000
const LAST = 32_000
/** By then whoever asked for a port listens on it. */
const RESERVED_MS = 60_000

/** `count` different TCP ports, free on this machine right now, and given to no other process that asks here for a minute. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const candidates = Array.from({ length: 20 }, () => randomInt(FIRST, LAST)).filter((port) => !ports.has(port))
    const port = await getPort({ port: candidates })
    if (await reserve(port)) ports.add(port)
  }
  return [...ports]
}

/**
 * Reserves a port for a minute, or until this process ends; false where another process has it. By a socket whose name no
 * file has, so that nothing is left behind: Linux has such (unix(7), abstract); elsewhere nothing is reserved.
 */
export async function reserve(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const mark = createServer().unref()
  return new Promise((resolve) => {
    mark.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'))
    mark.listen(`\0malha-port-${port}`, () => {
      setTimeout(() => mark.close(), RESERVED_MS).unref()
      resolve(true)
    })
  })
}

/** @throws StackError `STACK_PORT_TAKEN` naming `flag` when somebody listens on 127.0.0.1:`port`. */
export async function assertPortFree(port: number, what: string, flag: string): Promise<void> {
  if (!(await isPortFree(port))) throw portTaken(port, what, flag)
}

/** Runs `start` with the wanted port, or with free ones, again on others should one of those be taken meanwhile. */
export async function withPort<T>(wanted: number | undefined, start: (port: number) => Promise<T>): Promise<T> {
  if (wanted !== undefined) return start(wanted)
  for (let triesLeft = 4; ; triesLeft--) {
    const [port] = (await freePorts(1)) as [number]
    try {
      return await start(port)
    } catch (error) {
      if (triesLeft === 0 || !(error instanceof StackError) || error.code !== 'STACK_PORT_TAKEN') throw error
    }
  }
}

/** The port that a process could not have as it began to listen, by what Go and Node say of that. */
export function lostPort({ tail }: Pick<Child, 'tail'>): number | undefined {
  const said = /:(\d+): bind: address already in use|EADDRINUSE: address already in use \S*:(\d+)/.exec(tail.join('\n'))
  return said ? Number(said[1] ?? said[2]) : undefined
}

async function isPortFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
