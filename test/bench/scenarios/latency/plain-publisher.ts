import { publishOnSchedule } from '../../loads/open-loop.ts'
import { plainSide } from '../../sides/plain.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(publishOnSchedule(plainSide))
