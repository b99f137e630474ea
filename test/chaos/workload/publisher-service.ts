import { defineService, type ServiceDef } from '@malha/mesh'
import { contractsOf, type KindName } from './kinds.ts'

/** Whoever publishes the load: without handlers, and with a spool where its kind is that. */
export const publisherService = (kind: KindName): ServiceDef =>
  defineService(kind === 'spool' ? 'load-spooler' : 'load-publisher', { handlers: {}, publishes: contractsOf(kind) })
