import { connectMesh, meshOptions, type ServiceDef } from '@malha/mesh'

// #region provision
/** Makes the streams of `services`, and nothing else. Says what was done, a line a stream. */
export async function provision(services: readonly ServiceDef[], env: NodeJS.ProcessEnv): Promise<string[]> {
  await using mesh = await connectMesh(meshOptions(env))
  const lines: string[] = []
  for (const service of services) {
    const { streams } = await mesh.provision(service)
    for (const { name, action, maxBytes } of streams) lines.push(`${name} ${action}, up to ${maxBytes} bytes`)
  }
  return lines
}
// #endregion
