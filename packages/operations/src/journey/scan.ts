import type { Mesh } from '@malha/mesh'
import { nextOf } from '../read/direct.ts'
import type { MeshStream } from '../streams/mesh-streams.ts'
import { eventIn, type FoundEvent } from './found-event.ts'

/** How far streams were searched. */
export type Scanned = {
  readonly events: readonly FoundEvent[]
  /** Messages looked at. */
  readonly looked: number
  /** Messages there are. */
  readonly total: number
  /** It ended before there was nothing left to look at, and not because it was enough. */
  readonly isCut: boolean
}

export type ScanOptions = {
  /** Messages looked at, at most, over all streams. */
  readonly most: number
  readonly isWanted: (event: FoundEvent) => boolean
  /** Told how far it is. */
  readonly onScan?: ((looked: number, total: number) => void) | undefined
  /** Whether what was found is enough. @default no */
  readonly isEnough?: ((events: readonly FoundEvent[]) => boolean) | undefined
}

/** Messages in one read. */
const BLOCK = 1000

/**
 * Looks through streams of events, the newest first, a block of each in turn: their indexes know subjects, and neither ids nor
 * traces. Some 40 000 messages a second on one machine.
 */
export async function scan(mesh: Mesh, streams: readonly MeshStream[], options: ScanOptions): Promise<Scanned> {
  const { most, isWanted, onScan, isEnough } = options
  const total = streams.reduce((sum, { info }) => sum + info.state.messages, 0)
  let open = streams
    .filter(({ info }) => info.state.messages > 0)
    .map((stream) => ({ stream, until: stream.info.state.last_seq }))
  const events: FoundEvent[] = []
  let looked = 0
  const isDone = (): boolean => looked >= most || isEnough?.(events) === true
  while (open.length > 0 && !isDone()) {
    const size = Math.min(BLOCK, most - looked)
    const blocks = await Promise.all(
      open.slice(0, Math.ceil((most - looked) / size)).map(async ({ stream, until }) => {
        const from = Math.max(stream.info.state.first_seq, until - size + 1)
        return { stream, from, messages: await blockOf(mesh, stream, from, until) }
      }),
    )
    for (const { stream, messages } of blocks) {
      looked += messages.length
      for (const message of messages) {
        const event = eventIn(mesh, stream, message)
        if (event && isWanted(event)) events.push(event)
      }
    }
    onScan?.(looked, total)
    open = blocks
      .filter(({ stream, from }) => from > stream.info.state.first_seq)
      .map(({ stream, from }) => ({ stream, until: from - 1 }))
  }
  return { events, looked, total, isCut: open.length > 0 && !isEnough?.(events) }
}

/** The opposite: from a time on (RFC 3339), the oldest first. What an event led to came soon behind it, mostly. */
export async function scanSince(
  mesh: Mesh,
  streams: readonly MeshStream[],
  { since, most, isWanted, onScan }: Omit<ScanOptions, 'isEnough'> & { since: string },
): Promise<Scanned> {
  type Place = { stream: MeshStream; from: { seq: number } | { since: string } }
  let open = streams.filter(({ info }) => info.state.messages > 0).map((stream): Place => ({ stream, from: { since } }))
  const events: FoundEvent[] = []
  let [looked, total] = [0, 0]
  for (let isFirst = true; open.length > 0 && looked < most; isFirst = false) {
    const size = Math.min(BLOCK, most - looked)
    const blocks = await Promise.all(
      open.slice(0, Math.ceil((most - looked) / size)).map(async ({ stream, from }) => {
        const messages = await nextOf(mesh, stream.name, { ...from, most: size })
        return { stream, messages }
      }),
    )
    for (const { stream, messages } of blocks) {
      looked += messages.length
      if (isFirst) total += messages.length === 0 ? 0 : messages.length + (messages.at(-1)?.pending ?? 0)
      events.push(...messages.flatMap((message) => eventIn(mesh, stream, message) ?? []).filter(isWanted))
    }
    onScan?.(looked, total)
    open = blocks.flatMap(({ stream, messages }) => {
      const last = messages.at(-1)
      return last && last.seq < stream.info.state.last_seq ? [{ stream, from: { seq: last.seq + 1 } }] : []
    })
  }
  return { events, looked, total: Math.max(looked, total), isCut: open.length > 0 }
}

/** A block may be cut by its bytes, and has holes where messages were removed. */
async function blockOf(
  mesh: Mesh,
  { name }: MeshStream,
  from: number,
  until: number,
): Promise<Awaited<ReturnType<typeof nextOf>>> {
  const messages: Awaited<ReturnType<typeof nextOf>> = []
  for (let seq = from; seq <= until;) {
    const some = await nextOf(mesh, name, { seq, most: until - seq + 1 })
    const last = some.at(-1)
    if (!last) break
    messages.push(...some.filter((each) => each.seq <= until))
    seq = last.seq + 1
  }
  return messages
}
