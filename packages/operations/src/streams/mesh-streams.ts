import { isOfNamespace, type Mesh } from '@malha/mesh'
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
    if (kind !== undefined && isOfNamespace(names, name)) found.push({ kind, name, info })
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
