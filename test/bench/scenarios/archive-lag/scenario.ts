import { connectPlain } from '../../twins/connect.ts'
import { connectClickHouse, emptyArchive, startArchive } from '../../clickhouse.ts'
import { anEmptyStream } from '../../orders-stream.ts'
import { usualRound } from '../../round.ts'
import type { Scenario } from '../../scenario.ts'

const PER_SECOND = 5000

export const scenario: Scenario = {
  title: 'From when an event is stored to when a query finds it in the archive, at 5,000 events a second',
  message: 'one event published, archived and found',
  variants: { mesh: ['publisher.ts', 'archiver.ts', 'watcher.ts'] },
  cases: [{ payloadBytes: 128, replicas: 1 }],
  messages: { full: 50_000 },
  rounds: 5,
  floor: { maxMs: 2000 },
  goal: { maxMs: 2000 },
  async prepare(place) {
    await anEmptyStream(place)
    const settings = await startArchive(place)
    const client = connectClickHouse(settings.clickhouse)
    const nats = await connectPlain(place.broker.url)
    await emptyArchive(client, nats, settings.clickhouse)
    await nats.close()
    await client.close()
    return settings
  },
  round: (turn) => usualRound(turn, { count: turn.messages, perSecond: PER_SECOND }),
}
