import { publishToConsumer } from '../../loads/bulk.ts'
import { leanSide } from '../../sides/lean.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(publishToConsumer(leanSide))
