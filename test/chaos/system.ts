import type { FaultProxy } from '@malha/testing'
import type { NatsConnection } from '@nats-io/transport-node'

export type Topology = 'single' | 'cluster'

/**
 * - `broker`: a nats-server, `nats-1` to `nats-3`
 * - `database`: `clickhouse`
 * - `partner`: a simulator of a partner, `partner-senninha`
 * - `service`: what is shipped, `provider`
 * - `load`: a publisher or worker of the run's own, `load-worker-1`
 */
export type ProcessKind = 'broker' | 'database' | 'partner' | 'service' | 'load'

/** A process of the run. Killed, it starts again by itself, but a broker and the database, which `start` brings back. */
export interface ChaosProcess {
  readonly name: string
  readonly kind: ProcessKind
  /** Undefined while it is down. */
  readonly pid: number | undefined
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP */
  pause(): void
  /** SIGCONT */
  resume(): void
  /** SIGTERM; resolves when it is gone. A service and a load process start again by themselves. */
  stop(): Promise<void>
  /** Starts what was killed or stopped; of no effect on what runs. Resolves when it is ready. */
  start(): Promise<void>
  /** Moves the clock that it reads (`Date`) by so many ms from the right time; 0 is right again. Of a Node.js process. */
  shiftClock?(ms: number): Promise<void>
  /** An orderly stop, and a start of another release of it. Of services. */
  release?(which: 'previous' | 'current'): Promise<void>
}

/** All connections that one process opens to another go through a proxy of their own. */
export interface ChaosLink {
  /** Names of processes. */
  readonly from: string
  readonly to: string
  readonly proxy: FaultProxy
}

/** How a command ended; `code` is null where a signal ended it. */
export type Done = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export type Running = {
  readonly done: Promise<Done>
  kill(): Promise<void>
  /** The same once it said that its run is begun, or when that takes too long, as it does while the brokers are away. */
  killBegun(): Promise<void>
}

/** The `malha` command, as somebody on call uses it. */
export interface CommandLine {
  run(...args: string[]): Promise<Done>
  /** For one that may be killed before its end. */
  begin(...args: string[]): Running
}

/** The reference mesh as it is shipped and the load of the run, each a process, each connection through a proxy. */
export interface ChaosSystem {
  readonly topology: Topology
  readonly processes: readonly ChaosProcess[]
  readonly links: readonly ChaosLink[]
  /** A connection to all brokers that goes through no proxy: for what an operator does, such as deleting a consumer. */
  readonly operator: NatsConnection
  /** The same to the brokers' system account. */
  readonly systemAccount: NatsConnection
  readonly malha: CommandLine
  /** ClickHouse itself, not through a proxy: for what an operator does. */
  readonly clickhouseUrl: string
  /** How the simulator of a partner (`senninha`) misbehaves: the body of its `PUT /_fault`. */
  setPartnerFault(partner: string, fault: Readonly<Record<string, string | number>>): Promise<void>
  /**
   * Fills the disk of a process, a broker or the one with a spool. Resolves to what gives the room back.
   * @throws Error that says why this machine cannot
   */
  fillDisk(process: string): Promise<() => Promise<void>>
}
