import { connectMesh, meshOptions, type ServiceDef } from '@malha/mesh'

/** Runs a service until its process is told to stop. Its log goes to standard output, a JSON value a line. */
export async function runService(service: ServiceDef): Promise<void> {
  const line = (fields: object, message: string): void =>
    void process.stdout.write(`${JSON.stringify({ message, ...fields })}\n`)
  const mute = (): void => undefined
  await using mesh = await connectMesh({
    ...meshOptions(process.env),
    logger: { debug: mute, info: line, warn: line, error: line },
  })
  await mesh.run(service)
}
