import type { Plant } from './plant.ts'
import { archivePlants } from './planted-archive.ts'
import { delayPlants } from './planted-delays.ts'
import { eventPlants } from './planted-events.ts'
import { letterPlants } from './planted-letters.ts'

export const plants: readonly Plant[] = [...eventPlants, ...delayPlants, ...archivePlants, ...letterPlants]
