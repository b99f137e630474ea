/**
 * A process of the mesh that handles nothing, and publishes nothing by itself: it brings what is due to its stream. To be
 * killed.
 */
import { defineService, type ServiceDef } from '@malha/mesh'
import { reminded } from './jobs.ts'
import { runService } from './run-service.ts'

/** It may bring these. */
export const forwarder: ServiceDef = defineService('forwarder', { handlers: {}, publishes: [reminded] })

if (import.meta.main) await runService(forwarder)
