import { PassThrough } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { ApiDeps } from './deps.ts'

/** Proxies cut what is silent for long. */
const BEAT_MS = 15_000
/** A page that does not read is cut off; it comes back when it can. */
const MOST_WAITING_BYTES = 1024 ** 2

/** Server-sent events: counts of letters, runs, and what is away, whenever they change. */
export function liveRoute(app: FastifyInstance, { live }: ApiDeps): void {
  const open = new Set<PassThrough>()
  app.addHook('preClose', async () => {
    for (const stream of open) stream.end()
  })
  app.get(
    '/live',
    {
      config: { worksAway: true },
      schema: {
        summary: 'Server-sent events: `letters`, `runs`, `away`; each with all there is to say',
        tags: ['live'],
        produces: ['text/event-stream'],
        response: { 200: z.any().describe('Events.') },
      },
      serializerCompiler: () => (data) => data as string,
    },
    async (request, reply) => {
      const stream = new PassThrough()
      const write = (text: string): void => {
        if (stream.writableLength > MOST_WAITING_BYTES) stream.destroy()
        else stream.write(text)
      }
      write('retry: 2000\n\n')
      const stop = live.subscribe(({ event, data }) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`))
      const beat = setInterval(() => write(': still here\n\n'), BEAT_MS)
      open.add(stream)
      const end = (): void => {
        stop()
        clearInterval(beat)
        open.delete(stream)
        stream.end()
      }
      reply.raw.once('close', end)
      stream.once('close', end)
      return await reply
        .type('text/event-stream')
        .headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
        .send(stream)
    },
  )
}
