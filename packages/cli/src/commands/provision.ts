import { provisionDeployment } from '@malha/deployment'
import type { Command } from 'commander'
import { type ConnectOptions, connectToMesh, withConnection } from '../connection/connect-options.ts'
import { loadDeployment } from '../modules/load-deployment.ts'
import { print, screen } from '../view/print.ts'
import { drawProvisioned } from '../view/provision-view.ts'

/** `malha provision`: all that a mesh needs on a server, made before it runs. */
export function register(program: Command): void {
  withConnection(program.command('provision'))
    .description('make all streams, buckets and durables of a deployment, so that its services need not')
    .option('--from <module>', 'a module that exports deployment, of defineDeployment(…)', 'deploy/mesh.ts')
    .option('--json', 'one JSON value: { streams, durables }')
    .addHelpText(
      'after',
      `
What is there is brought to its declaration as a service would at its start; nothing is removed. Safe to run again.
Services then run with MALHA_TOPOLOGY=verify, under users that may make nothing. MALHA_REPLICAS says how many replicas
a new stream gets; MALHA_TOPOLOGY=verify only compares.

Examples:
  malha provision
  malha provision --from shop/mesh.ts --creds deployer.creds --json
Exit codes: 0 all is there, 1 an error.`,
    )
    .action(async ({ from, json, ...connection }: ConnectOptions & { from: string; json?: true }) => {
      const deployment = await loadDeployment(from)
      await using mesh = await connectToMesh(connection, { acts: true })
      const report = await provisionDeployment(mesh, deployment)
      print(json ? JSON.stringify(report) : drawProvisioned(report, screen()))
    })
}
