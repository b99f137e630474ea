import type { Mesh } from '@malha/mesh'
import { findHandler, type HandlerName } from '../handlers/find-handler.ts'
import type { FoundHandler } from '../handlers/found-handler.ts'

/** The handler, or why nothing can be sent to it. */
export async function fitHandler(mesh: Mesh, name: HandlerName): Promise<FoundHandler | string> {
  const { service, handler } = name
  const found = await findHandler(mesh, name)
  if (!found)
    return `handler ${handler} of ${service} has no lane on this server; start the service once, or restore its name`
  if (found.isOrdered && !found.takesRunsByKey)
    return `handler ${handler} of ${service} keeps the order of its keys, and the release that runs takes nothing from runs; start it in one that does`
  return found
}
