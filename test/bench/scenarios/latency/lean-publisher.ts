import { publishOnSchedule } from '../../loads/open-loop.ts'
import { leanSide } from '../../sides/lean.ts'
import { serveVariant } from '../../variant.ts'

await serveVariant(publishOnSchedule(leanSide))
