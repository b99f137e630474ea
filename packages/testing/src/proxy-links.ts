import { connect, type Socket } from 'node:net'

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
  readonly dropAfter: (bytes: number, direction: Direction) => void
  readonly counts: () => ProxyCounts
}

type Link = { readonly client: Socket; readonly server: Socket }

export function createLinks(target: { host: string; port: number }): Links {
  const links = new Set<Link>()
  const stalled = new Set<Direction>()
  const bytes = { toServer: 0, toClient: 0 }
  let connections = 0
  let destroyed = 0
  let drop: { left: number; direction: Direction } | undefined

  function take(client: Socket): void {
    connections += 1
    const link: Link = { client, server: connect({ host: target.host, port: target.port, noDelay: true }) }
    client.setNoDelay(true)
    links.add(link)
    client.on('data', (chunk: Buffer) => pass(link, 'toServer', chunk))
    link.server.on('data', (chunk: Buffer) => pass(link, 'toClient', chunk))
    for (const [side, other] of [
      [client, link.server],
      [link.server, client],
    ] as const) {
      // Resets are this proxy's trade; `close` follows and does the work.
      side.on('error', () => undefined)
      side.on('close', () => {
        links.delete(link)
        other.destroySoon()
      })
    }
    if (stalled.has('toServer')) client.pause()
    if (stalled.has('toClient')) link.server.pause()
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
        for (const link of links) ends(link, way).from.pause()
      }
    },
    resume(direction) {
      for (const way of ways(direction)) {
        stalled.delete(way)
        for (const link of links) ends(link, way).from.resume()
      }
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
