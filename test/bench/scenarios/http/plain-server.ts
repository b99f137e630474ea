import { hash } from 'node:crypto'
import { Center } from '@malha/contracts'
import { jetstream } from '@nats-io/jetstream'
import Fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { READY } from '../../server-process.ts'
import { connectPlain } from '../../twins/connect.ts'

/** What POST /centers needs at least: the same schema, an id out of the idempotency key, one publish, the same answer. No traces, no metrics, no problem details. */
const { NATS_URL, MALHA_NAMESPACE, HTTP_PORT } = process.env
const js = jetstream(await connectPlain(NATS_URL!))
const app = Fastify().withTypeProvider<ZodTypeProvider>()
app.setValidatorCompiler(validatorCompiler)
app.setSerializerCompiler(serializerCompiler)
app.post('/centers', { schema: { body: Center } }, async ({ body, headers }, reply) => {
  const id = `ctr_${hash('sha256', String(headers['idempotency-key']), 'hex').slice(0, 32)}`
  const data = JSON.stringify({ centerId: id, ...body })
  await js.publish(`${MALHA_NAMESPACE}.center.registered.${id}`, data, { msgID: id })
  const self = `/centers/${id}`
  return reply.code(202).header('location', self).send({ id, status: 'registered', traceId: null, links: { self } })
})
await app.listen({ host: '127.0.0.1', port: Number(HTTP_PORT) })
process.stdout.write(`${READY}\n`)
