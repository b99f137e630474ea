import { NAMESPACE } from '../../orders.ts'

/** Both the mesh and the plain client give a variant's durable this name. */
export const HANDLER = 'watch'
export const durableOf = (variant: string): string => `${NAMESPACE}_${variant}_${HANDLER}`
