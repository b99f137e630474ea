import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Fault } from './fault.ts'
import type { Ledger } from './ledger.ts'
import type { Dialect } from './partners.ts'
import { problem } from './problem.ts'

export type PartnerApiOptions = {
  dialect: Dialect
  ledger: Ledger
  /** The fault of this moment. */
  fault: () => Fault
  /** How long an answer takes, ms. */
  latencyMs: () => number
}

/** The partner's own HTTP API, misbehaving as told. */
export function partnerApi(options: PartnerApiOptions): FastifyInstance {
  const app = Fastify({ logger: false, bodyLimit: 64 * 1024 })
  app.post(options.dialect.path, (request, reply) => serve(request, reply, options))
  return app
}

async function serve(request: FastifyRequest, reply: FastifyReply, options: PartnerApiOptions): Promise<FastifyReply> {
  const { dialect, ledger } = options
  const key = header(request, 'idempotency-key')
  const asked = dialect.read(request.body)
  if ('centerId' in asked) ledger.attempt(asked.centerId, key)
  const fault = options.fault()
  const hit = Math.random() < fault.rate
  await sleep(hit && fault.mode === 'slow' ? fault.latencyMs : options.latencyMs())
  if (hit && (fault.mode === 'error' || fault.mode === 'flaky')) return refuse(reply, fault)
  if ('faults' in asked) return problem(reply, 400, 'The body is not what this partner takes', asked.faults)
  if (!key) return problem(reply, 400, 'The header Idempotency-Key is missing')
  const body = digest(request.body)
  const known = hit && fault.mode === 'forgetful' ? undefined : ledger.find(key)
  if (known && known.body !== body) return problem(reply, 422, 'This Idempotency-Key came with another body before')
  const effect = known?.effect ?? ledger.create(asked.centerId, key, body)
  if (hit && fault.mode === 'lost-reply') return cut(request, reply)
  return reply.code(known ? 200 : 201).send(dialect.answer(effect))
}

function refuse(reply: FastifyReply, fault: Fault): FastifyReply {
  if (fault.retryAfterS !== undefined) reply.header('retry-after', fault.retryAfterS)
  return fault.mode === 'error'
    ? problem(reply, 500, 'Something went wrong here')
    : problem(reply, 503, 'Too busy, come back later')
}

function cut(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.hijack()
  request.raw.socket.destroy()
  return reply
}

function header({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** Two bodies are the same when their JSON is, byte for byte. */
function digest(body: unknown): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('base64url')
}
