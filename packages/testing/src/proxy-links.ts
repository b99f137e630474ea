import { connect, type Socket } from 'node:net'
import { type DelayLine, delayLine } from './delay-line.ts'

/** Which way bytes flow: `toServer` is what the client says, `toClient` what it hears. */
export type Direction = 'toServer' | 'toClient'

/** What went through a proxy since it was made. */
export type ProxyCounts = {
  /** Connections taken. */
  readonly connections: number
  /** Connections open now. */
  readonly open: number
  /** Connections destroyed by `cut`, `refuse` or `dropAfter`. */
  readonly cut: number
  readonly bytesToServer: number
  readonly bytesToClient: number
}

/** The pairs of sockets a proxy joins, and the faults it works on them. */
export type Links = {
  readonly take: (client: Socket) => void
  readonly cut: () => number
  readonly stall: (direction?: Direction) => void
  readonly resume: (direction?: Direction) => void
  readonly delay: (ms: number, direction?: Direction) => void
  readonly dropAfter: (bytes: number, direction: Direction) => void
  readonly counts: () => ProxyCounts
}

type Link = {
  readonly client: Socket
  readonly server: Socket
  readonly lines: Record<Direction, DelayLine>
  /** Bytes that wait in the lines. */
  readonly held: Record<Direction, number>
}

/** With more than this delayed one way, the sender has to wait, as on a network of that bandwidth and delay. */
const MOST_HELD_BYTES = 4 * 1024 * 1024

export function createLinks(target: { host: string; port: number }): Links {
  const links = new Set<Link>()
  const stalled = new Set<Direction>()
  const bytes = { toServer: 0, toClient: 0 }
  const delays = { toServer: 0, toClient: 0 }
  let connections = 0
  let destroyed = 0
  let drop: { left: number; direction: Direction } | undefined

  function take(client: Socket): void {
    connections += 1
    const link: Link = {
      client,
      server: connect({ host: target.host, port: target.port, noDelay: true }),
      lines: { toServer: delayLine(), toClient: delayLine() },
      held: { toServer: 0, toClient: 0 },
    }
    client.setNoDelay(true)
    links.add(link)
    for (const direction of ways(undefined)) {
      const { from } = ends(link, direction)
      from.on('data', (chunk: Buffer) => onChunk(link, direction, chunk))
      // Resets are this proxy's trade; `close` follows and does the work.
      from.on('error', () => undefined)
      from.on('close', () => link.lines[direction].push(() => end(link, direction), delays[direction]))
      if (stalled.has(direction)) hold(link, direction)
    }
  }

  function hold(link: Link, direction: Direction): void {
    ends(link, direction).from.pause()
    link.lines[direction].hold()
  }

  function onChunk(link: Link, direction: Direction, chunk: Buffer): void {
    const { from, to } = ends(link, direction)
    const isOver = (): boolean => link.held[direction] > MOST_HELD_BYTES
    link.held[direction] += chunk.length
    link.lines[direction].push(() => {
      const wasOver = isOver()
      link.held[direction] -= chunk.length
      pass(link, direction, chunk)
      if (wasOver && !isOver() && !to.writableNeedDrain && !stalled.has(direction)) from.resume()
    }, delays[direction])
    if (isOver()) from.pause()
  }

  /** This way nothing more will come: the other side hears of it once it has all that came before. */
  function end(link: Link, direction: Direction): void {
    if (!links.delete(link)) return
    ends(link, direction).to.destroySoon()
  }

  function pass(link: Link, direction: Direction, chunk: Buffer): void {
    if (!links.has(link)) return
    if (drop?.direction === direction && chunk.length >= drop.left) return passLast(link, chunk.subarray(0, drop.left))
    if (drop?.direction === direction) drop.left -= chunk.length
    bytes[direction] += chunk.length
    const { from, to } = ends(link, direction)
    if (to.write(chunk)) return
    from.pause()
    to.once('drain', () => void (stalled.has(direction) || from.resume()))
  }

  /** The other side must see exactly these bytes and then the end; a reset could overtake them. */
  function passLast(link: Link, chunk: Buffer): void {
    if (!drop) return
    const { direction } = drop
    drop = undefined
    bytes[direction] += chunk.length
    const { from, to } = ends(link, direction)
    links.delete(link)
    destroyed += 1
    from.resetAndDestroy()
    to.end(chunk, () => to.destroy())
    cut()
  }

  function cut(): number {
    const open = [...links]
    links.clear()
    destroyed += open.length
    for (const link of open) {
      for (const direction of ways(undefined)) link.lines[direction].clear()
      link.client.resetAndDestroy()
      link.server.destroy()
    }
    return open.length
  }

  return {
    take,
    cut,
    stall(direction) {
      for (const way of ways(direction)) {
        stalled.add(way)
        for (const link of links) hold(link, way)
      }
    },
    resume(direction) {
      for (const way of ways(direction)) {
        stalled.delete(way)
        for (const link of links) {
          link.lines[way].release()
          ends(link, way).from.resume()
        }
      }
    },
    delay(ms, direction) {
      for (const way of ways(direction)) delays[way] = ms
    },
    dropAfter(left, direction) {
      drop = { left, direction }
    },
    counts: () => ({
      connections,
      open: links.size,
      cut: destroyed,
      bytesToServer: bytes.toServer,
      bytesToClient: bytes.toClient,
    }),
  }
}

function ends(link: Link, direction: Direction): { from: Socket; to: Socket } {
  return direction === 'toServer' ? { from: link.client, to: link.server } : { from: link.server, to: link.client }
}

function ways(direction: Direction | undefined): Direction[] {
  return direction ? [direction] : ['toServer', 'toClient']
}
