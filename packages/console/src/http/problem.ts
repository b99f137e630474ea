import { ArchiveError, archiveErrors } from '@malha/archive'
import { MeshError } from '@malha/mesh'
import { OperationsError, operationsErrors } from '@malha/operations'
import { ConsoleError, type ConsoleErrorCode, consoleErrors } from '../errors.ts'

/** An answer that is no success (RFC 9457): what happened, and what to do. */
export type Problem = {
  type: string
  title: string
  status: number
  code: string
  detail: string
  fix: string
  faults?: { field: string; message: string }[]
}

const STATUS: Readonly<Record<string, number>> = {
  CONSOLE_FOREIGN_HOST: 421,
  CONSOLE_FOREIGN_ORIGIN: 403,
  CONSOLE_OIDC_AWAY: 503,
  CONSOLE_OIDC_REFUSED: 401,
  CONSOLE_OIDC_NO_ROLE: 403,
  CONSOLE_SIGN_IN: 401,
  CONSOLE_ROLE_LACKING: 403,
  CONSOLE_SENDING_OFF: 403,
  CONSOLE_UNKNOWN_PATH: 404,
  CONSOLE_BAD_REQUEST: 422,
  CONSOLE_TOO_MANY_TRIES: 429,
  CONSOLE_MESH_AWAY: 503,
  CONSOLE_NO_ARCHIVE: 503,
  OPERATIONS_INVALID_OPTIONS: 422,
  OPERATIONS_NO_LETTERS: 404,
  OPERATIONS_LETTER_GONE: 410,
  OPERATIONS_NOTHING_TO_SEND: 409,
  OPERATIONS_HANDLER_UNFIT: 409,
  OPERATIONS_NO_RUN: 404,
  OPERATIONS_RUN_TAKEN: 409,
  OPERATIONS_RUN_OVER: 409,
  OPERATIONS_LETTER_MOVED: 409,
  OPERATIONS_RUN_MOVED: 409,
  OPERATIONS_NO_ROOM: 409,
  OPERATIONS_RUN_UNDER_WAY: 409,
  OPERATIONS_SLICE_GONE: 409,
  OPERATIONS_UNREADABLE: 503,
  OPERATIONS_NO_HANDLER: 404,
  OPERATIONS_HANDLER_MOVED: 409,
  OPERATIONS_NOT_AUDITED: 503,
  OPERATIONS_NO_CONTRACTS: 404,
  OPERATIONS_UNKNOWN_TYPE: 404,
  OPERATIONS_PAYLOAD_REFUSED: 422,
  OPERATIONS_EDIT_REFUSED: 422,
  ARCHIVE_INVALID_OPTIONS: 422,
  ARCHIVE_QUERY_REFUSED: 422,
  ARCHIVE_UNREACHABLE: 503,
}

/** What is the sender's to mend of an event that the mesh refused; all else of the mesh is a server that does not do as it should. */
const REFUSED: Readonly<Record<string, readonly [status: number, fix: string]>> = {
  MESH_INVALID_OPTIONS: [422, 'correct what is named'],
  MESH_INVALID_CONTRACT: [422, 'correct what is named'],
  MESH_INVALID_KEY: [422, 'correct the key'],
  MESH_INVALID_HEADER: [422, 'correct the header that is named'],
  MESH_INVALID_DELAY: [422, 'correct the delay'],
  MESH_PAYLOAD_TOO_LARGE: [422, 'make the payload smaller'],
  MESH_ID_CONFLICT: [409, 'take another id: another event has this one'],
  MESH_ONCE_CONFLICT: [409, 'nothing, where that event is the one that was wanted'],
  MESH_NO_STREAM: [409, 'start the service that has this stream'],
  MESH_STREAM_FULL: [409, 'make room in that stream, or raise its max_bytes'],
}

const TITLES: Readonly<Record<number, string>> = {
  401: 'Sign in first',
  403: 'Not allowed',
  404: 'Not there',
  409: 'It has changed meanwhile',
  410: 'It is gone',
  413: 'Too large',
  421: 'Not this address',
  422: 'The request has faults',
  429: 'Too many tries',
  500: 'The console failed',
  503: 'A part is away',
}

/** What NATS says when it does not answer: of a server that is away, that has no leader, or that lets this user not ask. */
const AWAY = /timeout|no responders|disconnect|closed|connection|permission|503/i

/** What an error looks like to who asked. Of one that was not foreseen nothing is told but that it is logged. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ConsoleError) return known(error, consoleErrors[error.code])
  if (error instanceof OperationsError) {
    const faults = error.faults.map(({ pointer, message }) => ({ field: pointer, message }))
    return { ...known(error, operationsErrors[error.code]), ...(faults.length > 0 && { faults }) }
  }
  if (error instanceof MeshError && error.code in REFUSED) {
    const [status, fix] = REFUSED[error.code]!
    return { ...known(error, fix), status, title: TITLES[status] ?? 'Refused' }
  }
  if (error instanceof ArchiveError) return known(error, archiveErrors[error.code])
  const { validation, statusCode = 500, message = '', code = '' } = error as FastifyFault
  if (validation) {
    const faults = validation.map((fault) => ({
      field: (fault.instancePath || '').replace(/^\//, '').replaceAll('/', '.'),
      message: fault.message ?? 'is not valid',
    }))
    const detail = faults.map(({ field, message: what }) => `${field || 'the request'}: ${what}`).join('; ')
    return { ...of('CONSOLE_BAD_REQUEST', detail), faults }
  }
  if (statusCode === 429) return of('CONSOLE_TOO_MANY_TRIES', 'there were too many tries to sign in')
  if (statusCode >= 400 && statusCode < 500) return { ...of('CONSOLE_BAD_REQUEST', message), status: statusCode }
  const isOfMesh = error instanceof MeshError || /nats|jetstream|timeouterror|requesterror/i.test(nameOf(error))
  if (isOfMesh || AWAY.test(`${code} ${message}`))
    return of('CONSOLE_MESH_AWAY', `NATS does not answer as it should (${message.slice(0, 200)})`)
  return of('CONSOLE_FAILED', 'this was not foreseen; the log of the console has it')
}

type FastifyFault = {
  validation?: readonly { instancePath?: string; message?: string }[]
  statusCode?: number
  message?: string
  code?: string
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.constructor.name : '')

function of(code: ConsoleErrorCode, detail: string): Problem {
  return known(new ConsoleError(code, detail), consoleErrors[code])
}

function known({ code, message }: Error & { code: string }, fix: string): Problem {
  const status = STATUS[code] ?? 500
  const detail = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message
  return { type: `urn:malha:problem:${code}`, title: TITLES[status] ?? 'Refused', status, code, detail, fix }
}
