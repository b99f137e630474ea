/** A process of the mesh that neither handles nor publishes anything: it brings what is due to its stream. To be killed. */
import { connectMesh, defineService, meshOptions } from '@malha/mesh'

await using mesh = await connectMesh(meshOptions(process.env))
const running = mesh.run(defineService('bystander', { handlers: {} }))
process.stdout.write('forwards\n')
await running
