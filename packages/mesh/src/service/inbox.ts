/**
 * Which messages a handler is done with (`inbox: { keepMs }`), for effects that must not be repeated lightly.
 *
 * X1  A message is recorded after its handler has returned and its outputs are stored, and acked after the record is. So a
 *     record never stands for an effect that did not happen; one that happened may lack its record, if the process dies
 *     between both.
 * X2  While a record cannot be written nothing but the end of the process gives the message up: tried again, its handler
 *     would run again.
 * X3  A record names the type and the payload it stands for: another message under the same id is an error, never done.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { MeshError } from '../errors.ts'
import type { Envelope } from '../message/envelope.ts'
import { HEADER } from '../message/headers.ts'
import { payloadHash } from '../message/id.ts'
import { textToken } from '../message/key.ts'
import type { Logger } from '../observe/logger.ts'
import type { PublisherDeps } from '../publish/publisher.ts'
import { getStored } from '../read/stored-message.ts'
import type { Names } from '../topology/names.ts'
import { INBOX_BUCKET } from '../topology/system.ts'

/** Whose inbox it is. */
export type Inbox = {
  publisher: PublisherDeps
  names: Names
  log: Logger
  service: string
  handler: string
  keepMs: number
  /** Ends the waiting for a record: the process can wait no longer. */
  stopping: AbortSignal
}

/** A message of it. */
export type InboxMessage = { envelope: Envelope; payload: Uint8Array }

type InboxRecord = { v: 1; type: string; sha256: string; at: string }

const WRITE_MS = 30_000
const AGAIN_MS = 1000

/**
 * Whether the handler is done with this message, as far as it is known. Read from the bucket's leader.
 * @throws MeshError MESH_INBOX_AWAY | MESH_ID_CONFLICT
 */
export async function wasHandled(inbox: Inbox, { envelope, payload }: InboxMessage): Promise<boolean> {
  const { names, publisher, service, handler } = inbox
  const bucket = names.bucket(INBOX_BUCKET)
  const found = await getStored(publisher.nc, `KV_${bucket}`, { last_by_subj: subjectOf(inbox, envelope.id) }).catch(
    (cause: unknown) => {
      throw new MeshError('MESH_INBOX_AWAY', `bucket ${bucket} did not say whether ${envelope.id} was handled`, {
        cause,
      })
    },
  )
  // Whoever deletes a record by hand leaves a marker of the bucket's own, without a value.
  if (!found || found.payload.length === 0) return false
  const record = JSON.parse(found.payload.toString()) as InboxRecord
  if (record.type === envelope.type && record.sha256 === payloadHash(payload)) return true
  throw new MeshError(
    'MESH_ID_CONFLICT',
    `${handler} of ${service} has handled another message of the id ${envelope.id} (${record.type}, ${record.at}); an id names one type, key and payload`,
  )
}

/** Writes down that the handler is done with this message; for as long as it takes. Upholds X2. */
export async function recordHandled(inbox: Inbox, { envelope, payload }: InboxMessage): Promise<void> {
  const { publisher, keepMs, stopping, log, service, handler } = inbox
  const record: InboxRecord = {
    v: 1,
    type: envelope.type,
    sha256: payloadHash(payload),
    at: new Date().toISOString(),
  }
  const request = {
    subject: subjectOf(inbox, envelope.id),
    payload: Buffer.from(JSON.stringify(record)),
    headers: [[HEADER.ttl, `${Math.ceil(keepMs / 1000)}s`]] as const,
    timeoutMs: WRITE_MS,
  }
  for (;;) {
    try {
      await publisher.pipeline.publish(request)
      return
    } catch (error) {
      if (stopping.aborted || (error instanceof MeshError && error.code === 'MESH_CLOSED')) throw error
      const fields = { service, handler, messageId: envelope.id, err: error }
      log.error(fields, 'a message is handled but could not be recorded in the inbox; that is tried again')
      await sleep(AGAIN_MS, undefined, { signal: stopping }).catch(() => undefined)
    }
  }
}

function subjectOf({ names, service, handler }: Inbox, id: string): string {
  return `$KV.${names.bucket(INBOX_BUCKET)}.${service}.${handler}.${textToken(id)}`
}
