/** A relay in a process of its own, to be killed or stopped. Environment: DATABASE_URL, NATS_URL, NAMESPACE. */
import { connectMesh } from '@malha/mesh'
import pg from 'pg'
import { relayOutbox } from '../../src/index.ts'

const { DATABASE_URL = '', NATS_URL = '', NAMESPACE = '' } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL })
pool.on('error', () => undefined)
const mesh = await connectMesh({ servers: NATS_URL, namespace: NAMESPACE })
relayOutbox(mesh, pool, { pollMs: 500, sessionMs: 3_000, inFlight: 64 })
process.stdin.on('end', () => process.exit(0)).resume() // ends with the test, whatever becomes of it
