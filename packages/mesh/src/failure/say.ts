import { type AnyContract } from '../message/contract.ts'
import { envelopeHeaders, newEnvelope } from '../message/envelope.ts'
import { HEADER } from '../message/headers.ts'
import { newId } from '../message/id.ts'
import { subjectOf } from '../message/key.ts'
import type { Logger } from '../observe/logger.ts'
import { encodeEvent } from '../publish/encode.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import type { Names } from '../topology/names.ts'

export type SayDeps = { pipeline: PublishPipeline; names: Names; log: Logger }

export type OwnEvent = {
  data: unknown
  service: string
  /** The message it is about. */
  about?: { id: string; correlationId: string; traceparent: string | undefined }
}

const PUBLISH_MS = 2000

/** Publishes one of the mesh's own events, without a span of its own. Never throws: it informs, nothing waits for it. */
export async function say(deps: SayDeps, contract: AnyContract, { data, service, about }: OwnEvent): Promise<void> {
  try {
    const { payload, key } = await encodeEvent(contract, data)
    const id = newId()
    const envelope = newEnvelope(contract, {
      id,
      from: service,
      key,
      correlationId: about?.correlationId,
      causationId: about?.id,
    })
    const trace = about?.traceparent ? [[HEADER.traceparent, about.traceparent] as const] : []
    await deps.pipeline.publish({
      subject: deps.names.subject(subjectOf(contract, key)),
      payload,
      headers: [...envelopeHeaders(envelope), ...trace, [HEADER.msgId, id]],
      timeoutMs: PUBLISH_MS,
    })
  } catch (error) {
    deps.log.warn({ err: error, type: contract.type }, 'the mesh could not say what it did')
  }
}
