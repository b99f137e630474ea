/** A process of a shop. */
import { connectMesh, meshOptions } from '@malha/mesh'
import { shopService } from './shop-service.ts'

await using mesh = await connectMesh(meshOptions(process.env))
await mesh.run(shopService(process.env['MENDED'] === 'yes'))
