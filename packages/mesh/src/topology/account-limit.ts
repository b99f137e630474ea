import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import type { DesiredStream } from './system.ts'

/**
 * What the streams to be made would reserve, against what the account has left. The server would refuse them one by
 * one, whichever comes last. A user who may not ask (`$JS.API.INFO`) learns it from the server.
 */
export async function accountFaults(
  jsm: JetStreamManager,
  compared: readonly { desired: DesiredStream; info: StreamInfo | undefined }[],
): Promise<string[]> {
  const wanted = compared
    .map((one) => ({ name: one.desired.name, bytes: newBytes(one) }))
    .filter(({ bytes }) => bytes > 0)
  if (wanted.length === 0) return []
  const account = await jsm.getAccountInfo().catch(() => undefined)
  const max = account?.limits?.max_storage ?? -1
  if (account === undefined || max <= 0) return []
  const reserved = account.reserved_storage ?? 0
  const sum = wanted.reduce((total, { bytes }) => total + bytes, 0)
  if (reserved + sum <= max) return []
  const each = wanted.map(({ name, bytes }) => `${name} ${bytes}`).join(', ')
  return [
    `the account may reserve ${max} bytes and has ${Math.max(0, max - reserved)} left, but these streams need ${sum} (${each}); raise max_file of the account, or lower maxBytes`,
  ]
}

/** What one stream reserves beyond what it has, over all replicas. */
function newBytes({ desired, info }: { desired: DesiredStream; info: StreamInfo | undefined }): number {
  const replicas = desired.replicas ?? info?.config.num_replicas ?? 1
  const want = Math.max(0, desired.config.max_bytes) * replicas
  const have = info === undefined ? 0 : Math.max(0, info.config.max_bytes) * info.config.num_replicas
  return Math.max(0, want - have)
}
