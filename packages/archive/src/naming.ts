import { ArchiveError } from './errors.ts'

/** @throws ArchiveError ARCHIVE_INVALID_OPTIONS */
export function checkNamespace(namespace: string): string {
  if (namespace !== '' && !/^[a-z0-9-]{1,32}$/.test(namespace))
    throw new ArchiveError(
      'ARCHIVE_INVALID_OPTIONS',
      `namespace ${JSON.stringify(namespace)}: a-z, 0-9 and -, 32 characters at most, or empty`,
    )
  return namespace
}

/** Whether a stream's name is of this namespace. Names of the mesh start in upper case, a namespace never does. */
export function inNamespace(namespace: string, stream: string): boolean {
  const bare = namespace === '' ? stream : stream.startsWith(`${namespace}_`) ? stream.slice(namespace.length + 1) : ''
  return /^[A-Z]/.test(bare)
}
