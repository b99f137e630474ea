export { createProgram } from './program.ts'
export type { CommandModule } from './program.ts'
