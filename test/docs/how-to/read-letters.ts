// #region read
import { decodeAttribute, LETTER_HEADER, type Mesh, receivedHeaders } from '@malha/mesh'
import { jetstream } from '@nats-io/jetstream'

export type Letter = { subject: string; id: string; code: string; reason: string; attempts: number; payload: string }

/** The letters of one handler, oldest first. Reading changes nothing. */
export async function lettersOf(mesh: Mesh, service: string, handler: string): Promise<Letter[]> {
  const durable = mesh.names.durable(service, handler)
  const consumer = await jetstream(mesh.nats).consumers.get(mesh.names.stream('DEAD_LETTERS'), {
    filter_subjects: mesh.names.subject(`dlq.${durable}.>`),
  })
  const letters: Letter[] = []
  if ((await consumer.info()).num_pending === 0) return letters
  for await (const message of await consumer.consume()) {
    const headers = receivedHeaders(message.headers)
    letters.push({
      subject: message.subject,
      id: decodeAttribute(headers['ce-id'] ?? ''),
      code: headers[LETTER_HEADER.code] ?? '',
      reason: decodeAttribute(headers[LETTER_HEADER.reason] ?? ''),
      attempts: Number(headers[LETTER_HEADER.attempts]),
      payload: message.string(),
    })
    if (message.info.pending === 0) break
  }
  return letters
}
// #endregion
