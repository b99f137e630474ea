import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** A folder with files as Kubernetes mounts a Secret: each is a link into a folder that is exchanged as a whole. */
export interface SecretVolume extends AsyncDisposable {
  path(file: string): string
  /** All files at once, as kubelet does it: a new folder, and one `rename` of the link that leads to it. */
  write(files: Readonly<Record<string, string>>): Promise<void>
}

export async function secretVolume(files: Readonly<Record<string, string>>): Promise<SecretVolume> {
  const root = await mkdtemp(join(tmpdir(), 'malha-secret-'))
  let last: string | undefined
  const write = async (all: Readonly<Record<string, string>>): Promise<void> => {
    const folder = await mkdtemp(`${root}/..`)
    for (const [file, text] of Object.entries(all)) await writeFile(join(folder, file), text, { mode: 0o400 })
    await symlink(basename(folder), `${root}/..data_tmp`)
    await rename(`${root}/..data_tmp`, `${root}/..data`)
    if (last !== undefined) await rm(last, { recursive: true })
    last = folder
  }
  await write(files)
  for (const file of Object.keys(files)) await symlink(join('..data', file), join(root, file))
  return {
    path: (file) => join(root, file),
    write,
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
}
