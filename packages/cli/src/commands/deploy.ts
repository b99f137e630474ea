import { type Difference, differences, generate, writeFiles } from '@malha/deployment'
import type { Command } from 'commander'
import { loadDeployment } from '../modules/load-deployment.ts'
import { drawDifferences } from '../view/deploy-view.ts'
import { print, screen } from '../view/print.ts'
import { EXIT_NO } from './exit-codes.ts'

type GenerateOptions = { from: string; to: string; check?: true; json?: true }

/** `malha deploy`: what a mesh needs to run somewhere. */
export function register(program: Command): void {
  const deploy = program.command('deploy').description('what a mesh needs to run somewhere, made from its services')
  deploy
    .command('generate')
    .description('write what follows from service definitions: users and permissions of NATS, manifests, contracts')
    .option('--from <module>', 'a module that exports deployment, of defineDeployment(…)', 'deploy/mesh.ts')
    .option('--to <folder>', 'where the files go', 'deploy/generated')
    .option('--check', 'write nothing; say which files are not as they would be written now: for CI')
    .option('--json', 'one JSON value: { files, differences }')
    .addHelpText(
      'after',
      `
Each file says in its first line that it is made. One that was made and is no longer needed is removed; a file without
that line is left alone.

Examples:
  malha deploy generate
  malha deploy generate --check
  malha deploy generate --from shop/mesh.ts --to shop/generated
Exit codes: 0 written, or all as they should be; 1 an error; 3 with --check, files differ.`,
    )
    .action(async ({ from, to, check, json }: GenerateOptions) => {
      const files = await generate(await loadDeployment(from))
      const found = check ? await differences(to, files) : await writeFiles(to, files)
      print(json ? toJson(files, found) : drawDifferences(found, { count: files.size, to, check }, screen()))
      if (check && found.length > 0) process.exitCode = EXIT_NO
    })
}

const toJson = (files: ReadonlyMap<string, string>, found: readonly Difference[]): string =>
  JSON.stringify({ files: [...files.keys()], differences: found })
