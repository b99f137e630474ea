import { connectMesh, meshOptions } from '@malha/mesh'
import { welcome } from './service.ts'

await using mesh = await connectMesh({ ...meshOptions(process.env), logger: console })
await mesh.run(welcome('http://127.0.0.1:7200'))
