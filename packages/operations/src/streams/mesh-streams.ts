import type { Mesh, Names } from '@malha/mesh'
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream'

/** A stream of the mesh; `kind` as its metadata say: docs/reference/wire.md. */
export type MeshStream = { readonly kind: string; readonly name: string; readonly info: StreamInfo }

/** Every stream of a mesh's namespace, by name. Needs `$JS.API.STREAM.LIST`. */
export async function meshStreams({ nats, names }: Mesh): Promise<MeshStream[]> {
  const jsm = await jetstreamManager(nats, { checkAPI: false })
  const found: MeshStream[] = []
  for await (const info of jsm.streams.list()) {
    const { name, metadata } = info.config
    const kind = metadata?.['malha.kind']
    if (kind !== undefined && isOf(names, name)) found.push({ kind, name, info })
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether a stream, or the one under a bucket, is of this namespace. Names of the mesh begin in upper case, a namespace never does. */
export function isOf({ namespace }: Names, stream: string): boolean {
  const bare = stream.replace(/^KV_/, '')
  if (namespace === '') return /^[A-Z]/.test(bare)
  return bare.startsWith(`${namespace}_`) && /^[A-Z]/.test(bare.slice(namespace.length + 1))
}
