import { jetstream, JetStreamApiError, type JetStreamClient } from '@nats-io/jetstream'
import { type NatsConnection, TimeoutError } from '@nats-io/transport-node'
import type { HeaderPairs } from '../message/headers.ts'
import type { PublishPipeline } from '../publish/pipeline.ts'
import { ERR_CODE, PublishRefused } from '../publish/pub-ack.ts'

/** As long as the client's own request waits, ms. */
const WRITE_MS = 5000

type PublishArguments = Parameters<JetStreamClient['publish']>

/**
 * A JetStream client for buckets whose writes ride on the mesh's pipeline: the client's own is a request, a timer, a stack
 * trace and a map of headers each, more than twice as much. The server was asked at connect whether it has JetStream.
 */
export function bucketClient(nc: NatsConnection, pipeline: PublishPipeline): JetStreamClient {
  const js = jetstream(nc, { checkAPI: false })
  const own = js.publish.bind(js)
  js.publish = async (...[subject, data = '', options = {}]: PublishArguments) => {
    const { headers, timeout: timeoutMs = WRITE_MS, ...rest } = options
    if (Object.keys(rest).length > 0) return own(subject, data, options)
    const payload = typeof data === 'string' ? Buffer.from(data) : data
    const pairs = headers ? Array.from(headers, ([name, [value = '']]) => [name, value] as const) : []
    const request = { subject, payload, headers: pairs satisfies HeaderPairs, timeoutMs, hasty: true }
    const { stream, seq, duplicate } = await pipeline.publish(request).catch((error: unknown) => {
      throw asClientError(error)
    })
    return { stream, seq, duplicate }
  }
  return js
}

/** What the bucket and its users know: a revision that is not the expected one is a `JetStreamApiError` 10071. */
function asClientError(error: unknown): unknown {
  if (!(error instanceof PublishRefused) || error.errCode === 0) return error
  const { errCode, status: code, message } = error
  // Sent again over a new connection: it may be this write itself that is in the way.
  if (error.resent && errCode === ERR_CODE.wrongLastSequence) return new TimeoutError({ cause: error })
  return new JetStreamApiError({ code, err_code: errCode, description: message })
}
