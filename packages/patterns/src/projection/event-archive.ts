import { receivedHeaders } from '@malha/mesh'
import type { StoredEvent } from '../store/read-forward.ts'

/** Where events are that a stream has forgotten; `eventArchive` of `@malha/archive` makes one. */
export interface EventArchive {
  /**
   * The events of these types between two sequences of one life of a stream, inclusive, in their order. `stream` as the
   * server names it.
   * @throws whatever it is, where not all is there that the stream had
   */
  read(stretch: {
    stream: string
    epoch: number
    from: number
    to: number
    types: readonly string[]
  }): AsyncIterable<ForgottenEvent>
}

/** As it stood in its stream. Names of headers as they came, values by name. */
export type ForgottenEvent = {
  readonly seq: number
  readonly subject: string
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly payload: Uint8Array
}

export function asStored({ headers, ...event }: ForgottenEvent): StoredEvent {
  const pairs = Object.entries(headers).map(([name, values]): [string, string[]] => [name, [...values]])
  return { ...event, headers: receivedHeaders(pairs) }
}
