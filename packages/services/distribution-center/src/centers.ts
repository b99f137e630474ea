import type { Center } from '@malha/contracts'
import type { CenterView } from './http/schemas.ts'

export type PageQuery = {
  /** The last id of the page before. */
  readonly after: string | undefined
  readonly limit: number
  readonly status: CenterView['status'] | undefined
}

export type Page = { readonly centers: readonly CenterView[]; readonly next: string | null }

export type Registered = { readonly traceId: string | null; readonly queued: boolean }

/** What the HTTP side needs of the mesh side. Everything rejects with a `Problem` when the broker is away. */
export interface Centers {
  /**
   * Registers a centre once. Resolves with the trace of the registration, the first one's when it was registered before.
   * `queued`: the broker is away, and it is on this process's disk.
   * @throws Problem idempotency-conflict when the id holds another centre
   */
  register(centerId: string, center: Center): Promise<Registered>
  /** Finds a centre from the moment its registration was answered. */
  find(centerId: string): Promise<CenterView | undefined>
  /**
   * Centres in the order in which the read model took them in.
   * @throws Problem invalid-request when `after` is no centre
   */
  page(query: PageQuery): Promise<Page>
}
