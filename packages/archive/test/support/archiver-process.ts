/**
 * An archiver in a process of its own, to be killed. Environment: NATS_URL, CLICKHOUSE_URL, NAMESPACE. Small batches and a
 * short lease, so that kills fall into every phase of its work.
 */
import { connect } from '@nats-io/transport-node'
import { archiveStreams } from '../../src/index.ts'

const { NATS_URL = '', CLICKHOUSE_URL = '', NAMESPACE = '' } = process.env
const nats = await connect({ servers: NATS_URL, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
archiveStreams(
  { nats, namespace: NAMESPACE },
  { url: CLICKHOUSE_URL, requestTimeoutMs: 5_000 },
  { batchRows: 1_000, leaseMs: 1_000, pollMs: 200 },
)
process.stdin.on('end', () => process.exit(0)).resume() // ends with the test, whatever becomes of it
