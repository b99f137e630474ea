import { jetstreamManager, JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'

/** How many dead letters there are; none where there is no such stream. */
export async function countDeadLetters(nats: string): Promise<number> {
  const connection = await connect({ servers: nats, name: 'malha-demo' })
  try {
    const manager = await jetstreamManager(connection)
    return (await manager.streams.info('DEAD_LETTERS')).state.messages
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return 0
    throw error
  } finally {
    await connection.close()
  }
}
