import type { Mesh, MeshOptions } from '@malha/mesh'
import type { NatsConnection } from '@nats-io/transport-node'

/**
 * What an environment can do beside passing messages: kill a server with SIGKILL and start it again on its data
 * (`restart`), or make another server of a cluster the leader (`stepDown`).
 */
export type Capability = 'restart' | 'stepDown'

/** Where a case runs: a namespace of its own on a server or a cluster. */
export type ConformanceEnv = {
  /** Unique to the case. Whatever begins with it is the case's. */
  readonly namespace: string
  /** Connects a mesh; it is closed after the case. @default namespace: the case's */
  readonly mesh: (options?: Partial<MeshOptions>) => Promise<Mesh>
  /** Sees everything on the server. */
  readonly nats: NatsConnection
  readonly capabilities: readonly Capability[]
  readonly server: {
    /** Kills the server, or of a cluster the one that leads `stream`, with SIGKILL, and starts it again on its data. */
    readonly restart: (stream: string) => Promise<void>
    /** Makes another server lead the stream, or the consumer if one is named. */
    readonly stepDown: (stream: string, consumer?: string) => Promise<void>
  }
}

/** One promise of the library, and how to see that it is kept. */
export type Case = {
  /** The promise, as a sentence. */
  readonly name: string
  /** What it asks of the environment; where that is missing the case does not run. */
  readonly needs: readonly Capability[]
  /** Rejects when the promise is broken. */
  readonly run: (env: ConformanceEnv) => Promise<void>
}

/** A case that runs anywhere, or only where `needs` are met. */
export function promise(name: string, run: Case['run'], needs: readonly Capability[] = []): Case {
  return { name, needs, run }
}
