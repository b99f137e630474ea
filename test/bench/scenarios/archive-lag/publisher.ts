import { publishOnSchedule } from '../../loads/open-loop.ts'
import { meshSide } from '../../sides/mesh.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(publishOnSchedule(meshSide()))
