import type { PlantEnv } from '../plants/plants.ts'
import type { Topology } from '../system.ts'
import type { OpenBrokers } from './open-brokers.ts'

/** Where the processes of a run find each other, and what they write to. */
export type Site = OpenBrokers & {
  readonly topology: Topology
  /** Data of the processes; goes with the run. */
  readonly folder: string
  /** A port of its own for everything that listens, by a name for it. */
  port(name: string): number
  /** Hears each line of a process. */
  onLine(name: string): (line: string) => void
  /** What a process needs to write down its operations. */
  recording(name: string): Record<string, string>
  /** The defect that a process has for this run. */
  plantOf(name: string): PlantEnv | undefined
}

export const at = (port: number): string => `http://127.0.0.1:${port}`

/**
 * The variables by which a process finds the brokers, each through a proxy of its own, and who it is there. It makes its own
 * durables again that are deleted, which its user may.
 */
export async function natsEnv(
  { links, brokers, users, topology }: Site,
  from: string,
  user = from,
): Promise<Record<string, string>> {
  const ports = await Promise.all([...brokers.ports].map(([to, port]) => links.between(from, to, port)))
  return {
    ...users.as(user),
    NATS_URL: ports.map((port) => `nats://127.0.0.1:${port}`).join(','),
    MALHA_TOPOLOGY: 'ensure',
    ...(topology === 'cluster' && { MALHA_REPLICAS: '3' }),
  }
}
