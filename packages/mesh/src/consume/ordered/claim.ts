/** The right to work on a partition, as the deliveries of it carry it. */
export type Claim = {
  readonly partition: number
  /** Grows with every takeover of the partition. */
  readonly fence: number
  /** Aborts when another instance may have the partition. */
  readonly lost: AbortSignal
  /** Whether no other instance can have it at this moment. */
  readonly isSure: boolean
  /** Resolves once the right is sure again. @throws MeshError MESH_PARTITION_LOST when another instance may have it */
  confirm(): Promise<void>
}
