import type { DirectMessage, DirectStatus, StoredMessage } from '@malha/mesh'

/** Status of an answer: that was all, or there is nothing of it. */
export const END = 204
export const NOTHING = 404

export const refused = (stream: string, { code, description }: DirectStatus): Error =>
  new Error(`stream ${stream} was not read: ${code} ${description}`)

export const textOf = ({ data }: DirectMessage): string =>
  Buffer.from(data.buffer, data.byteOffset, data.length).toString()

export const jsonOf = (message: DirectMessage): unknown => JSON.parse(textOf(message))

/** The same as the mesh reads it from a stream's leader. */
export function asStored({ subject, seq, timestamp, headers, data }: DirectMessage): StoredMessage {
  return {
    subject,
    seq,
    time: timestamp,
    headers: headers.record(),
    pairs: headers.pairs(),
    payload: Buffer.from(data.buffer, data.byteOffset, data.length),
  }
}
