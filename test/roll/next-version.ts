import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copyOfThis, type Release } from '../chaos/system/previous-release.ts'

type Change = { file: string; from: string; to: string }

/**
 * `provider.created` in version 2: what was `providerId` is `provider.id`. Nobody reads the one as the other, so that it is
 * a change for which the version is raised (docs/how-to/change-a-contract.md).
 */
const CHANGES: readonly Change[] = [
  {
    file: 'packages/services/contracts/src/events.ts',
    from: '  system: z.enum(providerSystems),\n  providerId: PartnerId,\n})',
    to: '  system: z.enum(providerSystems),\n  provider: z.strictObject({ id: PartnerId }),\n})',
  },
  {
    file: 'packages/services/contracts/src/events.ts',
    from: '  key: (data) => `${data.centerId}-${data.system}`,\n',
    to: `  key: (data) => \`\${data.centerId}-\${data.system}\`,
  version: 2,
  upcast(data) {
    const { providerId, ...rest } = data as { centerId: string; system: string; providerId: string }
    return { ...rest, provider: { id: providerId } }
  },
`,
  },
  {
    file: 'packages/services/provider/src/service.ts',
    from: '{ centerId: center.centerId, system, providerId }',
    to: '{ centerId: center.centerId, system, provider: { id: providerId } }',
  },
  {
    file: 'packages/services/distribution-center/src/status/changes.ts',
    from: 'ref: data.providerId',
    to: 'ref: data.provider.id',
  },
]

/** This project with that version, in `folder`. */
export async function nextVersion(folder: string): Promise<Release> {
  const release = await copyOfThis(folder, 'this one, with version 2 of provider.created')
  for (const { file, from, to } of CHANGES) {
    const path = join(folder, file)
    const text = await readFile(path, 'utf8')
    if (!text.includes(from)) throw new Error(`${file} has changed: it does not say ${JSON.stringify(from)} any more`)
    await writeFile(path, text.replace(from, to))
  }
  return release
}
