import { consumeInBulk } from '../../loads/bulk.ts'
import { leanSide } from '../../sides/lean.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(consumeInBulk(leanSide))
