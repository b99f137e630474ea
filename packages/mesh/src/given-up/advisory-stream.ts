import { DiscardPolicy } from '@nats-io/jetstream'
import { nanos, type NatsConnection } from '@nats-io/transport-node'
import { days } from '../durations.ts'
import type { Logger } from '../observe/logger.ts'
import { ADVISORIES, type Names } from '../topology/names.ts'
import { bringAbout } from '../topology/provision.ts'
import { base, type DesiredStream, system } from '../topology/system.ts'

/**
 * Makes the stream `ADVISORIES` where it is missing, and has it take these subjects.
 * @throws MeshError MESH_TOPOLOGY, also where another stream of the account has them
 */
export async function provisionAdvisories(
  nc: NatsConnection,
  names: Names,
  { subjects, replicas, log }: { subjects: readonly string[]; replicas: number | undefined; log: Logger },
): Promise<void> {
  await bringAbout(nc, names, { desired: [advisoryStream(names, subjects, replicas)], mode: 'ensure', log })
}

/**
 * What the server told of messages that it gave up. Made by whoever looks after that, who also adds streams as they come: the
 * subjects name them, so that no two namespaces of an account want the same. It is evidence, and makes help come sooner; what is
 * dropped here is found by a look all the same (ADR 37).
 */
function advisoryStream(names: Names, subjects: readonly string[], replicas?: number): DesiredStream {
  return {
    ...system('advisories', names.stream(ADVISORIES), replicas),
    config: { ...base([...subjects]), discard: DiscardPolicy.Old, max_age: nanos(days(7)), max_bytes: 16 * 1024 ** 2 },
  }
}
