import type { StreamInfo } from '@nats-io/jetstream'
import { inNamespace } from '../naming.ts'

/** The second a stream was created in: tells a re-created stream, which counts from 1 again, from the one before. */
export const epochOf = (info: StreamInfo): number => Math.floor(Date.parse(info.created) / 1000)

/**
 * Whether a stream belongs into the archive: the mesh made it in this namespace, and it holds events. Lanes hold copies
 * meant for one handler, and work queues can't be read by anyone else.
 */
export function isArchived(info: StreamInfo, namespace: string): boolean {
  const { name, metadata } = info.config
  return (
    inNamespace(namespace, name) && metadata?.['malha.format'] !== undefined && metadata['malha.kind'] !== 'lanes'
  )
}
