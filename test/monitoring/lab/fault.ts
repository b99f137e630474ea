/** Something that goes wrong for real, and is mended. */
export type Fault = {
  /** Which fire of it, at least. */
  readonly alerts: readonly string[]
  begin(): Promise<void>
  end(): Promise<void>
}

/** A part of a mesh on which faults are made: what Prometheus scrapes of it, by job. */
export interface Lab extends AsyncDisposable {
  readonly targets: readonly string[]
  readonly faults: readonly Fault[]
}
