import { consumeFromPublisher } from '../../loads/bulk.ts'
import { serveVariant } from '../../variant.ts'
import { tracedSide } from './traced-side.ts'

await serveVariant(consumeFromPublisher(tracedSide))
