import { defineService, reply, type ReplyOptions, replyError, request, type ServiceDef } from '@malha/mesh'
import { z } from 'zod'

/** The contracts these tests speak. */
export const quote = request('price.quote', {
  schema: z.object({ sku: z.string(), quantity: z.number().int().default(1) }),
  reply: z.object({ cents: z.number(), at: z.string().transform((text) => new Date(text)) }),
  errors: { 'price.unknown': z.object({ sku: z.string() }) },
})

export const slow = request('price.slow', {
  schema: z.object({ n: z.number() }),
  reply: z.object({ n: z.number(), by: z.string() }),
  idempotent: true,
})

export const AT = '2026-11-20T10:00:00.000Z'

/** Answers `price.quote`: 1.00 apiece, but for `none`, which it does not know, and `broken`, at which it throws. */
export function pricing(options: ReplyOptions = {}): ServiceDef {
  return defineService('pricing', {
    handlers: {},
    replies: {
      quote: reply(quote, options, ({ sku, quantity }) => {
        if (sku === 'none') throw replyError(quote, 'price.unknown', { sku })
        if (sku === 'broken') throw new Error('password is hunter2')
        return { cents: 100 * quantity, at: AT }
      }),
    },
  })
}

/** A gate that calls wait at until it is opened. */
export function gate(): { readonly passed: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: promise, open: resolve }
}

/** Answers `price.slow`, each call as soon as the gate is open. */
export function slowBehindGate(options: ReplyOptions = {}): { service: ServiceDef; open: () => void } {
  const { passed, open } = gate()
  const answer = reply(slow, options, async ({ n }) => {
    await passed
    return { n, by: 'x' }
  })
  return { service: defineService('pricing', { handlers: {}, replies: { answer } }), open }
}

/** Lines of a logger, to look at. */
export type Line = { level: string; fields: Record<string, unknown>; message: string }

export function recordingLogger(): { lines: Line[]; logger: Record<'debug' | 'info' | 'warn' | 'error', Log> } {
  const lines: Line[] = []
  const at =
    (level: string): Log =>
    (fields, message) =>
      void lines.push({ level, fields: fields as Record<string, unknown>, message })
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

type Log = (fields: object, message: string) => void
