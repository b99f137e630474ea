import type { Mesh } from '@malha/mesh'

/** Whether there is no connection to NATS at the moment: then nobody need wait for an answer. */
export const isAway = (mesh: Mesh): boolean => mesh.health().reasons.includes('NATS is away')
