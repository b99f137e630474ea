import { jetstreamManager, JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream'
import type { System } from '../system/start-system.ts'

/** How many dead letters there are; none where there is no such stream. */
export async function countDeadLetters(system: System): Promise<number> {
  const connection = await system.connect('viewer')
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
