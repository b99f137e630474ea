/** What is there when everything has come to rest. */
export type FinalState = {
  /** When the run began, Unix ms: `at` and `due` of the operations count from here. */
  beganAt: number
  handlers: readonly HandlerFacts[]
  /** In the end every dead letter was sent again, to handlers that refuse nothing any more. @default false */
  isMended?: boolean
  /** Of every archived stream, also of DEAD_LETTERS and MESH. */
  streams: Iterable<StoredMessage>
  letters: Iterable<Letter>
  archive: Iterable<ArchiveRow>
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
   * How often the outside world may see one message that is not a dead letter: `once`: exactly; `repeats`: at least, and
   * until its inbox knows it; `none`: it has no effect outside, but its deliveries are written down; `unseen`: not even these.
   */
  effect: 'once' | 'repeats' | 'none' | 'unseen'
  /** The type of the one output each message has. */
  output?: string
  /** The type of the one message of the same key that comes of each in the end, by other handlers than this. */
  leadsTo?: string
  /** How often it is tried before it ends as a dead letter. */
  attempts?: number
  /** Of how many messages the n-th is refused and ends as a dead letter, and has no effect unless it is mended: `n % rejectEvery === 0`. */
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
  /** When it was to come (`malha-due`), Unix ms, if it was published for later. */
  due?: number
  /** The `ce-id` of the message whose handler published it. */
  causation?: string
  /** `digestOf` what is stored. */
  digest: string
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
export type ArchiveRow = {
  stream: string
  epoch: number
  seq: number
  id: string
  /** `digestOf` what the row says. */
  digest: string
}
