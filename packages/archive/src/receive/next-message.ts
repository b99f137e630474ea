import type { JetStreamManager, MsgRequest, StoredMsg } from '@nats-io/jetstream'

/** The first message after a sequence; null when there is none. Deleted messages are passed over by the server. */
export async function nextMessage(jsm: JetStreamManager, stream: string, afterSeq: number): Promise<StoredMsg | null> {
  // The API takes both fields together (ADR-31); the client's type knows them one by one.
  const request = { seq: afterSeq + 1, next_by_subj: '>' } as MsgRequest
  return await jsm.streams.getMessage(stream, request)
}
