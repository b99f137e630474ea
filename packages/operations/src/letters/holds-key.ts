import { decodeRecord, type Mesh } from '@malha/mesh'
import { textOf } from '../read/direct-message.ts'
import { lastOf } from '../read/direct.ts'
import { streamNow } from '../read/read-on.ts'
import type { Letter } from './letter.ts'

/**
 * Whether later events of a letter's key wait for it, as the record of its partition says (`onDeadLetter: 'hold-key'`); null where this
 * user may not read that. Nothing on the server changes.
 */
export async function holdsKey(mesh: Mesh, letter: Of): Promise<boolean | null> {
  return await isHolding(mesh, letter).catch(() => null)
}

type Of = Pick<Letter, 'service' | 'handler' | 'origin' | 'subject'>

async function isHolding(mesh: Mesh, letter: Of): Promise<boolean> {
  const { service, handler, origin, subject } = letter
  const bucket = `KV_${mesh.names.bucket('MESH_PARTITIONS')}`
  if (!service || !handler || !(await streamNow(mesh, bucket))) return false
  const storedAt = /@(\d+)$/.exec(subject)?.[1]
  const records = await lastOf(mesh, bucket, [
    `$KV.${mesh.names.bucket('MESH_PARTITIONS')}.${mesh.names.durable(service, handler)}.at.*`,
  ])
  return records.some((stored) => {
    const { epoch, held = [] } = decodeRecord(textOf(stored))
    const isIt = ({ behind }: (typeof held)[number]): boolean =>
      String(behind.seq) === origin.seq && behind.storedAt === storedAt
    return epoch === origin.epoch && held.some(isIt)
  })
}
