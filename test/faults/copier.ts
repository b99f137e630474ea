/** A service process to be killed: makes a copy of each original and files it, both once. */
import { connectMesh, defineService, meshOptions, on, seconds, untilBack } from '@malha/mesh'
import { copied, drawn, filed } from './copies.ts'

const options = { startFrom: 'all', concurrency: 64, ackWaitMs: seconds(1), effects: 'once' } as const

const copier = defineService('copier', {
  publishes: [copied],
  handlers: {
    copy: on(drawn, { ...options, retry: { ...untilBack, forMs: seconds(600), maxDelayMs: 500 } }, (job, ctx) => {
      ctx.publish(copied, job)
      ctx.publish(filed, job)
    }),
  },
})

const line = (fields: object, message: string): void =>
  void process.stdout.write(`${JSON.stringify({ message, ...fields })}\n`)
const mute = (): void => undefined

await using mesh = await connectMesh({
  ...meshOptions(process.env),
  logger: { debug: mute, info: line, warn: line, error: line },
})
await mesh.run(copier)
