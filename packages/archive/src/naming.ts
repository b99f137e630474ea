import { ArchiveError } from './errors.ts'

/** What a name is on the server: `<namespace>_<name>`, or the name itself in no namespace. */
export function scopedName(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}_${name}`
}

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
