import {
  type Lease as MeshLease,
  type LeaseBucket,
  type LeaseOptions,
  type SeenHolder,
  tryLease as tryOne,
} from '@malha/mesh'
import { ArchiveError } from '../errors.ts'

/** The sole right to write a stream, or to migrate, for a while. */
export type Lease = Omit<MeshLease, 'isHeld'> & {
  /** @throws ArchiveError ARCHIVE_LEASE_LOST */
  readonly assertHeld: () => void
}

/** Tries once. Undefined when someone else holds it. */
export async function tryLease(
  bucket: LeaseBucket,
  options: LeaseOptions,
  seen: SeenHolder = {},
): Promise<Lease | undefined> {
  const lease = await tryOne(bucket, options, seen)
  if (!lease) return undefined
  const { token, lost, release, isHeld } = lease
  const assertHeld = (): void => {
    if (!isHeld())
      throw new ArchiveError('ARCHIVE_LEASE_LOST', `lease ${options.key} ran out; another process may hold it now`)
  }
  return { token, lost, release, assertHeld }
}
