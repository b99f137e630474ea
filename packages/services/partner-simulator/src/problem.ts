import type { FastifyReply } from 'fastify'

/** Answers with a problem detail (RFC 9457). */
export function problem(reply: FastifyReply, status: number, detail: string, errors?: string[]): FastifyReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send({ title: detail, status, ...(errors === undefined ? {} : { errors }) })
}
