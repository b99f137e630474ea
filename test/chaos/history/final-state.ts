/** What is there when everything has come to rest. */
export type FinalState = {
  handlers: HandlerFacts[]
  streams: StoredMessage[]
  letters: Letter[]
  archive: ArchiveRow[]
}

/** What may be expected of a handler. */
export type HandlerFacts = {
  /** `<service>.<name>`, as in the operations. */
  handler: string
  /** The event type it takes. */
  type: string
  /** `key`: effects of one key come in the order of their publishes. */
  order: 'none' | 'key'
  /**
   * How often the outside world may see one message that is not a dead letter: `once`: exactly; `repeats`: at least;
   * `none`: it has no effect outside.
   */
  effect: 'once' | 'repeats' | 'none'
  /** The type of the one output each message has. */
  output?: string
  /** Of how many messages the n-th is refused and ends as a dead letter without an effect: `n % rejectEvery === 0`. */
  rejectEvery?: number
}

/** One message of a stream. Streams without namespace, as contracts name them. */
export type StoredMessage = {
  stream: string
  /** When the stream was made, Unix seconds: a stream that was deleted and made again has another. */
  epoch: number
  seq: number
  id: string
  type: string
  subject: string
  /** When the broker stored it, Unix ms. */
  time: number
  /** The `ce-id` of the message whose handler published it. */
  causation?: string
}

export type Letter = {
  /** `<service>.<name>` */
  handler: string
  stream: string
  epoch: number
  seq: number
  id: string
  type: string
  /** The error code: `MESH_REJECTED` and so on. */
  reason: string
}

/** A physical row: a second copy of one is there twice. */
export type ArchiveRow = { stream: string; epoch: number; seq: number; id: string }
