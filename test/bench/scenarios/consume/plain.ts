import { consumeInBulk } from '../../loads/bulk.ts'
import { plainSide } from '../../sides/plain.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(consumeInBulk(plainSide))
