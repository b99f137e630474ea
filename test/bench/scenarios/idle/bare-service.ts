import '@nats-io/jetstream'
import '@nats-io/kv'
import '@opentelemetry/api'
import '@opentelemetry/core'
import '@prometheus-io/client'
import 'cockatiel'
import 'fastify'
import 'fastify-type-provider-zod'
import 'pino'
import 'zod'
import { connect } from '@nats-io/transport-node'

/** Every library that distribution-center loads when nothing is traced, nothing else, and a connection. */
await connect({ servers: process.env['NATS_URL']! })
// READY of server-process.ts, which is not imported: it would bring its own libraries.
process.stdout.write('ready\n')
