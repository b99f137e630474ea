import { decodeRecord, type HeldKey, type Mesh, type PartitionRecord, partitionOf } from '@malha/mesh'
import type { FoundEvent } from '../journey/found-event.ts'
import { textOf } from '../read/direct-message.ts'
import { lastOf, nextOf } from '../read/direct.ts'
import type { MeshStream } from '../streams/mesh-streams.ts'
import type { Position } from './facts.ts'
import type { PlacedHandler } from './topology.ts'

export type OrderedPosition = { readonly position: Position; readonly isPulled: boolean }

/** In which partition an event is, and what its key is called there; the one behind the last is of events without a key. */
function keyOf(event: FoundEvent, partitions: number): { partition: number; token: string } {
  const tokens = event.subject.split('.')
  const token = tokens.at(-1) ?? ''
  const isKeyed = event.key !== undefined && tokens.at(-2) === String(partitionOf(token, partitions))
  return isKeyed ? { partition: Number(tokens.at(-2)), token } : { partition: partitions, token: '' }
}

/** Where an ordered handler is with an event, by the record of its partition: docs/reference/wire.md#ordered-handlers. */
export async function orderedPosition(
  mesh: Mesh,
  { stream, handler, event }: { stream: MeshStream; handler: PlacedHandler; event: FoundEvent },
): Promise<OrderedPosition> {
  const bucket = mesh.names.bucket('MESH_PARTITIONS')
  const prefix = `$KV.${bucket}.${handler.lane.name}`
  const { partition, token } = keyOf(event, Number(stream.info.config.metadata?.['malha.partitions'] ?? 16))
  const at = `${prefix}.at.${partition}`
  const found = await lastOf(mesh, `KV_${bucket}`, [at, `${prefix}.begin`, `${prefix}.here.*`])
  const valueOf = (subject: string): string | undefined => {
    const message = found.find((each) => each.subject === subject)
    return message && textOf(message)
  }
  const begin = JSON.parse(valueOf(`${prefix}.begin`) ?? 'null') as { read: number } | null
  const text = valueOf(at)
  if (begin && event.seq <= begin.read)
    return { position: { kind: 'before', since: `it takes what came behind sequence ${begin.read}` }, isPulled: true }
  const isHere = found.some(({ subject }) => subject.startsWith(`${prefix}.here.`))
  const unread = (read: number, keysBehindLetters: number): Position => ({
    kind: 'unread',
    read,
    partition,
    keysBehindLetters,
  })
  if (text === undefined) return { position: unread(begin?.read ?? 0, 0), isPulled: isHere }
  const record = decodeRecord(text)
  const isOwned = found.some(({ subject }) => subject === `${prefix}.here.${record.owner}`)
  const durable = handler.lane.name
  const position = await within(mesh, { record, event, token, durable })
  return { position: position ?? unread(record.read, record.held?.length ?? 0), isPulled: isOwned }
}

/** Whether its key is held is said by the record; which letter that is, by the letters. */
async function behindLetter(
  mesh: Mesh,
  { stream, durable }: { stream: string; durable: string },
  { behind }: HeldKey,
): Promise<Position> {
  const [letter] = await lastOf(mesh, mesh.names.stream('DEAD_LETTERS'), [
    mesh.names.deadLetter(durable, { stream, ...behind }),
  ])
  return { kind: 'behind-letter', seq: behind.seq, letter: letter?.seq }
}

/** Undefined where it is not read yet. */
async function within(
  mesh: Mesh,
  { record, event, token, durable }: { record: PartitionRecord; event: FoundEvent; token: string; durable: string },
): Promise<Position | undefined> {
  const { seq } = event
  const held = record.held?.find((each) => each.token === token && each.behind.seq < seq)
  if (held) return await behindLetter(mesh, { stream: event.stream, durable }, held)
  if (record.running.includes(seq)) return { kind: 'running' }
  const open = record.open.find((each) => each.token === token && each.from <= seq)
  if (open && open.from === seq) return { kind: 'held', retry: open.retry }
  // Of a key only the first event runs, and what it is of is said by its subject alone.
  const before = open?.from ?? (await runningOf(mesh, { event, token, running: record.running }))
  if (before !== undefined && seq <= Math.max(record.read, record.seen)) {
    const [message] = await nextOf(mesh, event.stream, { seq: before, most: 1 })
    const id = message?.seq === before ? message.headers.header('ce-id') || undefined : undefined
    return { kind: 'behind', seq: before, id, retry: open?.retry }
  }
  return seq > record.read ? undefined : { kind: 'settled' }
}

async function runningOf(
  mesh: Mesh,
  { event, token, running }: { event: FoundEvent; token: string; running: readonly number[] },
): Promise<number | undefined> {
  for (const seq of running.filter((each) => each < event.seq)) {
    const [message] = await nextOf(mesh, event.stream, { seq, most: 1 })
    const isOfKey =
      token === '' ? mesh.names.strip(message?.subject ?? '') === event.subject : message?.subject.endsWith(`.${token}`)
    if (message?.seq === seq && isOfKey) return seq
  }
  return undefined
}
