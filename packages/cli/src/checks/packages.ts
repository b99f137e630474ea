import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { runCommand } from './command.ts'
import type { CommandResult } from './command.ts'
import { publishedPackages, root } from './workspace.ts'

/**
 * Builds and packs what is published, and has publint and attw look at the tarballs. In a copy, so that the clone stays as
 * it is: links among packages are relative and so lead into the copy, dependencies are one link to the clone's.
 */
export async function checkPackages(): Promise<CommandResult> {
  const copy = await mkdtemp(join(tmpdir(), 'malha-packages-'))
  try {
    const packages = await publishedPackages()
    for (const folder of packages) await cp(join(root, folder), join(copy, folder), { ...CLEAN, recursive: true })
    for (const file of ['package.json', 'pnpm-workspace.yaml', 'tsconfig.json'])
      await cp(join(root, file), join(copy, file))
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))

    const built = await runCommand('tsc', ['-b', '--stopBuildOnErrors', ...packages], { cwd: copy })
    if (!built.ok) return built
    const outcomes: CommandResult[] = []
    for (const folder of packages) outcomes.push(await checkOne(copy, folder))
    const failed = outcomes.filter(({ ok }) => !ok)
    return { ok: failed.length === 0, output: failed.map(({ output }) => output).join('\n') }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

const CLEAN = {
  verbatimSymlinks: true,
  filter: (path: string): boolean => basename(path) !== 'dist' && !path.endsWith('.tsbuildinfo'),
}

async function checkOne(copy: string, folder: string): Promise<CommandResult> {
  const tarballs = join(copy, 'tarballs', basename(folder))
  const cwd = join(copy, folder)
  const packed = await runCommand(process.env['MALHA_PNPM'] || 'pnpm', ['pack', '--pack-destination', tarballs], {
    cwd,
    env: { pnpm_config_pm_on_fail: 'ignore' },
  })
  if (!packed.ok) return packed
  const [name = ''] = await readdir(tarballs)
  const tarball = join(tarballs, name)
  const linted = await runCommand('publint', [tarball, '--strict'], { cwd })
  if (!linted.ok) return linted
  return runCommand('attw', [tarball, '--profile', 'esm-only', '--no-emoji', '--no-color'], { cwd })
}
