/** A rebuild in a process of its own that is killed when all events of `ORDERS` are stored, and nothing behind that is done. */
import { connectMesh } from '@malha/mesh'
import { rebuild } from '../../src/index.ts'

const { NATS_URL = '', CLICKHOUSE_URL = '', NAMESPACE = '' } = process.env
const mesh = await connectMesh({ servers: [NATS_URL], name: 'rebuild', namespace: NAMESPACE, topology: 'none' })
await rebuild(mesh, {
  archive: { url: CLICKHOUSE_URL },
  onProgress: ({ stream, events, isDone }) => {
    if (stream === mesh.names.stream('ORDERS') && events > 0 && !isDone) process.kill(process.pid, 'SIGKILL')
  },
})
