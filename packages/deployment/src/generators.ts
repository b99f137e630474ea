import type { Generator } from './generate.ts'

/** All that is made of a deployment; the order says nothing. */
export const generators: readonly Generator[] = []
