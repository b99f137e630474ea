import { hostname, userInfo } from 'node:os'
import { connectMesh, type Mesh, meshOptions } from '@malha/mesh'
import type { Command } from 'commander'

/** Where the mesh is that a command looks at. */
export type ConnectOptions = { server?: string | undefined; creds?: string | undefined; namespace?: string | undefined }

/** Adds `--server`, `--creds` and `--namespace`; what they leave open the environment says, as it does for a service. */
export function withConnection(command: Command): Command {
  return command
    .option('--server <urls>', 'NATS servers, separated by commas; default NATS_URL, or nats://127.0.0.1:4222')
    .option('--creds <file>', 'credentials file; default NATS_CREDS_FILE')
    .option('--namespace <name>', 'of the mesh; default MALHA_NAMESPACE, or none')
}

/** Adds `--who` and `--reason`: what is done is written down with them. */
export function asActor(command: Command): Command {
  return command
    .option(
      '--who <name>',
      'who does it, for those who look later',
      process.env['MALHA_WHO'] || `${userName()}@${hostname()}`,
    )
    .option('--reason <text>', 'why')
}

/** A container's user may have a number alone. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'somebody')
  }
}

/**
 * Connects as an onlooker, for whom no stream is made or changed, or as one who acts.
 * @throws MeshError as `connectMesh` does
 */
export async function connectToMesh(
  { server, creds, namespace }: ConnectOptions,
  { acts = false }: { acts?: boolean } = {},
): Promise<Mesh> {
  // A spool belongs to the service that runs with it.
  const { spool: _, ...settings } = meshOptions({
    NATS_URL: 'nats://127.0.0.1:4222',
    ...process.env,
    ...(server && { NATS_URL: server }),
    ...(creds && { NATS_CREDS_FILE: creds }),
    ...(namespace && { MALHA_NAMESPACE: namespace }),
  })
  return await connectMesh({ ...settings, name: `malha/${process.pid}`, ...(!acts && { topology: 'none' }) })
}
