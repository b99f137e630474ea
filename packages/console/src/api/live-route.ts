import { PassThrough } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { ApiDeps } from './deps.ts'

/** Proxies cut what is silent for long. */
const BEAT_MS = 15_000
/** A page that does not read is cut off; it comes back when it can. */
const MOST_WAITING_BYTES = 1024 ** 2

/** Server-sent events: what changed, to whoever has a page open. */
export function liveRoute(app: FastifyInstance, { live, sampler }: ApiDeps): void {
  const open = new Set<PassThrough>()
  app.addHook('preClose', async () => {
    for (const stream of open) stream.end()
  })
  app.withTypeProvider<ZodTypeProvider>().get(
    '/live',
    {
      config: { worksAway: true },
      schema: {
        summary:
          'Server-sent events: `letters`, `runs`, `away`, each with all there is to say; and `sample` whenever handlers were looked at, which they are while somebody watches them',
        tags: ['live'],
        querystring: z.strictObject({ watch: z.enum(['handlers']).optional() }),
        produces: ['text/event-stream'],
        response: { 200: z.any().describe('Events.') },
      },
      serializerCompiler: () => (data) => data as string,
    },
    async ({ query: { watch } }, reply) =>
      await send(reply, (tell) => {
        const stops = [live.subscribe(({ event, data }) => tell(event, data))]
        if (watch === 'handlers') stops.push(sampler.watch(({ atMs }) => tell('sample', { atMs })))
        return () => stops.forEach((stop) => stop())
      }),
  )

  async function send(reply: FastifyReply, listen: Listen): Promise<FastifyReply> {
    const stream = new PassThrough()
    const write = (text: string): void => {
      if (stream.writableLength > MOST_WAITING_BYTES) stream.destroy()
      else stream.write(text)
    }
    write('retry: 2000\n\n')
    const stop = listen((event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`))
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
  }
}

/** Begins to tell, and gives what ends it. */
type Listen = (tell: (event: string, data: unknown) => void) => () => void
