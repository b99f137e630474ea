import { startArchive } from '../../clickhouse.ts'
import { aFilledStream } from '../../orders-stream.ts'
import type { Scenario } from '../../scenario.ts'

export const scenario: Scenario = {
  title:
    'Drain a stream into ClickHouse, the archive’s whole schema; the twin inserts the same rows in the same batches',
  message: 'one stored event in the archive’s table',
  variants: { mesh: ['mesh.ts'], raw: ['raw.ts'] },
  cases: [
    { payloadBytes: 128, replicas: 1 },
    { suffix: '1KiB', payloadBytes: 1024, replicas: 1 },
  ],
  messages: { full: 100_000 },
  rounds: 5,
  floor: { ratioToRaw: 0.7 },
  goal: { ratioToRaw: 0.9 },
  async prepare(place) {
    await aFilledStream(place)
    return await startArchive(place)
  },
  /** Neither may be fast by leaving something out. */
  derive({ mesh, raw }) {
    if (mesh!['rowsHash'] !== raw!['rowsHash']) throw new Error('the archive and its twin did not store the same rows')
    return {}
  },
}
