import { consumeInBulk, publishInBulk } from '../../loads/bulk.ts'
import { meshSide } from '../../sides/mesh.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant((setup) => (setup.settings['end'] === 'consume' ? consumeInBulk : publishInBulk)(meshSide())(setup))
