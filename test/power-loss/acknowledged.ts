import type { Sent } from './disk-op.ts'

/**
 * A PubAck as a server writes it to its client: `MSG` and not `RMSG`, which goes to another server of the cluster
 * (docs.nats.io, "NATS protocol"; the body is that of JetStream's JSPubAckResponse).
 */
const PUB_ACK = /(?:^|\n)MSG [^\r\n]+\r\n\{"stream":"([^"]+)",(?:"domain":"[^"]*",)? ?"seq":(\d+)/g

/** Longer than any PubAck, so that one in two writes is found. */
const CARRY = 1024

/** `<stream> <sequence>` */
export type Place = string

export const placeOf = (stream: string, seq: number): Place => `${stream} ${seq}`

/**
 * When each message was first acknowledged, microseconds since 1970: the moment from which on its publisher may have heard.
 * @param journals what each server sent
 */
export function acknowledgements(journals: readonly (readonly Sent[])[]): Map<Place, number> {
  const acknowledged = new Map<Place, number>()
  for (const sent of journals) {
    const carried = new Map<number, string>()
    for (const { fd, data, begunAt } of sent) {
      const text = (carried.get(fd) ?? '') + data.toString('latin1')
      for (const [, stream, seq] of text.matchAll(PUB_ACK)) {
        const place = placeOf(stream!, Number(seq))
        acknowledged.set(place, Math.min(begunAt, acknowledged.get(place) ?? Infinity))
      }
      carried.set(fd, text.slice(-CARRY))
    }
  }
  return acknowledged
}
