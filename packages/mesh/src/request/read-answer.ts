import { Busy, MeshError } from '../errors.ts'
import type { AnyRequest } from './contract.ts'
import { decodeAnswer, errorPayload, replyPayload } from './payload.ts'
import { ReplyError } from './reply-error.ts'
import { type Incoming, kindOf, REQUEST_HEADER, wholeNumber } from './wire.ts'

/** It was certainly not begun: nobody is there, or the responder has more than it can do. */
export const isRefusal = ({ isNoResponder, headers }: Incoming): boolean =>
  isNoResponder || headers[REQUEST_HEADER.errorCode] === 'MESH_BUSY'

/** When to come again, ms; 0 where the answer does not say. A minute at most. */
export function retryAfterOf({ headers }: Incoming): number {
  return Math.min(wholeNumber(headers[REQUEST_HEADER.retryAfter]) ?? 0, 60_000)
}

/**
 * What was answered.
 * @throws ReplyError an error of the contract; MeshError MESH_BUSY | MESH_REPLY_TOO_LARGE | MESH_REQUEST_FAILED |
 * MESH_UNDECODABLE | MESH_SCHEMA_MISMATCH | MESH_REPLY_BROKEN
 */
export async function readAnswer(contract: AnyRequest, answer: Incoming): Promise<unknown> {
  const kind = kindOf(answer)
  if (kind === 'error') throw await errorOf(contract, answer)
  if (kind !== 'value')
    throw new MeshError(
      'MESH_REPLY_BROKEN',
      `${contract.type} is answered as a stream; give its contract streaming: true`,
    )
  return await decodeAnswer(replyPayload(contract), answer)
}

/** The error an answer stands for. */
export async function errorOf(contract: AnyRequest, answer: Incoming): Promise<Error> {
  const { type } = contract
  const said = (answer.headers['nats-service-error'] ?? 'no reason given').slice(0, 1000)
  const code = answer.headers[REQUEST_HEADER.errorCode] ?? answer.headers['nats-service-error-code'] ?? ''
  if (code === 'MESH_BUSY') return new Busy(retryAfterOf(answer), `${type} was not begun: ${said}`)
  if (code === 'MESH_REPLY_TOO_LARGE') return new MeshError('MESH_REPLY_TOO_LARGE', said.replace(/^MESH_\w+: /, ''))
  const payload = errorPayload(contract, code)
  if (!payload) return new MeshError('MESH_REQUEST_FAILED', `${type} failed: ${said} (${code.slice(0, 128)})`)
  try {
    return new ReplyError(type, code, await decodeAnswer(payload, answer))
  } catch (error) {
    return error instanceof Error ? error : new MeshError('MESH_REQUEST_FAILED', `${type} failed with ${code}`)
  }
}
