import { getStored, HEADER, type Mesh, provisionNotifications } from '@malha/mesh'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers as newHeaders } from '@nats-io/nats-core'

/** A value, the revision that the next write expects, and when it was stored: by the clock of the server, unix ms. */
export type StoredValue = { readonly value: unknown; readonly revision: number; readonly storedAtMs: number }

const BUCKET = 'NOTIFICATIONS'
/** `err_code` of JetStream: the last revision is not the expected one. */
const WRONG_REVISION = 10_071
const WRITE_MS = 5000

/** The bucket of all notifiers of a mesh. It is read from its leader, and written by revision alone. */
export class RecordBucket {
  readonly #mesh: Mesh
  readonly #bucket: string
  /** What the server's clock is ahead of this process's time of run, ms. */
  #aheadMs = 0

  private constructor(mesh: Mesh) {
    this.#mesh = mesh
    this.#bucket = mesh.names.bucket(BUCKET)
  }

  /** Made where it is missing. @throws MeshError MESH_TOPOLOGY */
  static async open(mesh: Mesh): Promise<RecordBucket> {
    await provisionNotifications(mesh)
    return new RecordBucket(mesh)
  }

  /** Asks the leader what time it is: all is timed by its clock, and none of those of several hosts. */
  async syncClock(): Promise<void> {
    const jsm = await jetstreamManager(this.#mesh.nats, { checkAPI: false })
    const { ts } = (await jsm.streams.info(`KV_${this.#bucket}`)) as { ts?: string }
    const serverMs = Date.parse(ts ?? '')
    if (!Number.isNaN(serverMs)) this.#aheadMs = serverMs - performance.now()
  }

  /** The server's clock as it is now, unix ms. */
  get nowMs(): number {
    return this.#aheadMs + performance.now()
  }

  /** Undefined where there is none, or somebody deleted it by hand. */
  async read(key: string): Promise<StoredValue | undefined> {
    const stored = await getStored(this.#mesh.nats, `KV_${this.#bucket}`, { last_by_subj: this.#subject(key) })
    if (!stored) return undefined
    const { seq: revision, time, payload } = stored
    return { value: parsed(payload), revision, storedAtMs: Date.parse(time) }
  }

  /** Returns the new revision; undefined where it is not `revision` any more (0: there is none). It goes after `ttlMs`. */
  async write(
    key: string,
    value: unknown,
    { revision, ttlMs }: { revision: number; ttlMs?: number },
  ): Promise<number | undefined> {
    const headers = newHeaders()
    if (ttlMs !== undefined) headers.set(HEADER.ttl, `${Math.max(1, Math.ceil(ttlMs / 1000))}s`)
    try {
      const js = jetstream(this.#mesh.nats, { checkAPI: false })
      const options = { headers, expect: { lastSubjectSequence: revision }, timeout: WRITE_MS }
      return (await js.publish(this.#subject(key), JSON.stringify(value), options)).seq
    } catch (error) {
      if ((error as { code?: unknown }).code === WRONG_REVISION) return undefined
      throw error
    }
  }

  #subject(key: string): string {
    return `$KV.${this.#bucket}.${key}`
  }
}

function parsed(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString())
  } catch {
    return undefined
  }
}
