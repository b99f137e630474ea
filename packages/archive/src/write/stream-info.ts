import { RetentionPolicy, type StreamInfo } from '@nats-io/jetstream'
import { inNamespace } from '../naming.ts'

/**
 * Whether a stream belongs into the archive: the mesh made it in this namespace, and it holds events. Lanes hold copies
 * meant for one handler, advisories are of the server, delayed events come again in their own stream, and work queues can't be read by anyone else.
 */
export function isArchived(info: StreamInfo, namespace: string): boolean {
  const { name, metadata, retention } = info.config
  if (!inNamespace(namespace, name) || /^(KV|OBJ)_/.test(name) || retention !== RetentionPolicy.Limits) return false
  return (
    metadata?.['malha.format'] !== undefined &&
    !['lanes', 'delays', 'advisories'].includes(metadata['malha.kind'] ?? '')
  )
}
