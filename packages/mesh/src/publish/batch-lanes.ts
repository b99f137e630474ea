import { MeshError } from '../errors.ts'
import type { PublishPipeline, PublishRequest } from './pipeline.ts'
import type { PubAck } from './pub-ack.ts'

/**
 * Batches of one stream on the wire at once. A server without replicas works off what it has read of a connection, some
 * milliseconds a batch, before it answers any of it: with two hundred on the wire the first answer came after 4.5 s
 * (2.15.1), and what is sent again for want of an answer only adds to it.
 */
const LANES = 8

type Lanes = { running: number; waiting: Set<() => void> }

/** Lets the batches of a stream go a few at a time; the others wait their turn, in order, within their own time. */
export class BatchLanes {
  readonly #pipeline: PublishPipeline
  readonly #streams = new Map<string, Lanes>()

  constructor(pipeline: PublishPipeline) {
    this.#pipeline = pipeline
  }

  /** @throws as PublishPipeline.publish */
  async publish(stream: string, request: PublishRequest): Promise<PubAck> {
    const deadline = performance.now() + request.timeoutMs
    const lanes = this.#streams.get(stream) ?? { running: 0, waiting: new Set() }
    this.#streams.set(stream, lanes)
    if (lanes.running < LANES) lanes.running++
    else await turnOf(lanes, stream, request)
    try {
      return await this.#pipeline.publish({
        ...request,
        timeoutMs: Math.max(1, Math.ceil(deadline - performance.now())),
      })
    } finally {
      const [next] = lanes.waiting
      if (next) next()
      else if (--lanes.running === 0) this.#streams.delete(stream)
    }
  }
}

/** Resolves when another has handed its lane over. */
function turnOf(lanes: Lanes, stream: string, { subject, timeoutMs }: PublishRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const go = (): void => {
      clearTimeout(timer)
      lanes.waiting.delete(go)
      resolve()
    }
    const timer = setTimeout(() => {
      lanes.waiting.delete(go)
      const why = `other batches of ${stream} took all of its ${timeoutMs} ms, it was not sent; publish again with the same ids`
      reject(new MeshError('MESH_PUBLISH_TIMEOUT', `${subject}: ${why}`))
    }, timeoutMs)
    lanes.waiting.add(go)
  })
}
