/** Every error of the operations, with what to do about it. A code is never reused. */
export const operationsErrors = {
  OPERATIONS_INVALID_OPTIONS: 'correct the option named',
  OPERATIONS_NO_LETTERS: 'start a service of this mesh: it makes the stream of dead letters',
  OPERATIONS_LETTER_GONE: 'list the letters again; somebody removed this one from its stream',
  OPERATIONS_NOTHING_TO_SEND: 'look with the same filter at the list of letters; none that is open fits it',
  OPERATIONS_HANDLER_UNFIT: 'correct what the message says of each handler, or leave its letters out',
  OPERATIONS_NO_HANDLER: 'list the handlers; there is none of that name, or its service has not started yet',
  OPERATIONS_HANDLER_MOVED: 'list the handlers again, and decide again',
  OPERATIONS_NO_RUN: 'list the runs; there is none of that name',
  OPERATIONS_RUN_TAKEN: 'nothing: another runner goes on with it',
  OPERATIONS_EDIT_REFUSED: 'correct what the message says of the payload; nothing was written',
  OPERATIONS_RUN_UNDER_WAY: 'wait until that run is over, or cancel it',
  OPERATIONS_NO_ROOM: 'take a smaller slice, or raise max_bytes of that stream',
  OPERATIONS_SLICE_GONE: 'replay what is left from the archive',
  OPERATIONS_RUN_OVER: 'begin another run; one that is over stays over',
  OPERATIONS_RUN_MOVED: 'look at the run again, and decide again',
  OPERATIONS_LETTER_MOVED: 'look at the letter again, and decide again',
  OPERATIONS_NOT_AUDITED:
    'nothing was done; see to the stream AUDIT: rights to publish audit.entry.>, room in it, a server that answers',
  OPERATIONS_UNREADABLE: 'give this user the rights that the page on finding out what happened names, or look again',
  OPERATIONS_NO_CONTRACTS: 'start a service with this release: it says its contracts; or give their module',
  OPERATIONS_UNKNOWN_TYPE: 'take one of the types that the message lists, or give the module of its contract',
  OPERATIONS_PAYLOAD_REFUSED: 'correct what the message says of the payload; nothing was published',
  OPERATIONS_BACKUP_REFUSED: 'name a folder that is empty, or is not there',
  OPERATIONS_BACKUP_FAILED: 'see to what the message says of the stream, remove the folder, and begin again',
  OPERATIONS_BACKUP_UNREADABLE: 'take another backup; nothing was done with this one',
  OPERATIONS_RESTORE_REFUSED: 'restore onto a server that has no stream of the backup; nothing was done',
  OPERATIONS_RESTORE_FAILED: 'see to what the message says of the stream, and run the same command again: it goes on',
  OPERATIONS_REBUILD_REFUSED:
    'rebuild before any service starts, onto a server that has none of its streams; nothing was done',
  OPERATIONS_REBUILD_FAILED: 'see to what the message says, and run the same command again: it goes on',
  OPERATIONS_HAND_OVER_FAILED:
    'see that all servers of the cluster are up and in sync, and run the same command again: it goes on',
  OPERATIONS_INDEX_FAILED:
    'see that the folder of the index can be written, or delete its file: it is made again from the stream',
} as const

export type OperationsErrorCode = keyof typeof operationsErrors

/** What is wrong with a payload, and where. Never repeats a value: it may be a secret. */
export type PayloadFault = {
  /** JSON Pointer (RFC 6901) to what is wrong, or missing; empty: the whole. */
  readonly pointer: string
  /** Without the place. */
  readonly message: string
  /** The whole of it for people, with the place. */
  readonly sentence: string
}

/** An error of the operations: a stable code, then what happened, to what, and what to do next. Never carries a secret. */
export class OperationsError extends Error {
  override readonly name = 'OperationsError'
  readonly code: OperationsErrorCode
  /** Of a payload: each fault with its place; empty otherwise. */
  readonly faults: readonly PayloadFault[]

  constructor(
    code: OperationsErrorCode,
    detail: string,
    { faults = [], ...options }: ErrorOptions & { faults?: readonly PayloadFault[] } = {},
  ) {
    super(`${code}: ${detail}`, options)
    this.code = code
    this.faults = faults
  }
}
