import { billIssued } from '../../bills.ts'
import { publishInBulk } from '../../loads/bulk.ts'
import { meshSide } from '../../sides/mesh.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(publishInBulk(meshSide(billIssued)))
