import { defineService, type HandlerDef, type Mesh } from '@malha/mesh'

/** Runs `work` and says how long each of `count` took, µs. */
export async function usEach(count: number, work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return ((performance.now() - startedAt) * 1000) / count
}

export type Handling = {
  /** Handlers by name; each call of one is told by `onCall`. */
  handlers: (onCall: () => void) => Record<string, HandlerDef>
  /** Calls until it is over. */
  calls: number
}

/** Runs a service until its handlers were called so often: from the first call on, µs each. */
export async function handledUs(mesh: Mesh, name: string, { handlers, calls }: Handling): Promise<number> {
  const done = Promise.withResolvers<void>()
  let called = 0
  let startedAt = 0
  const onCall = (): void => {
    if (++called === 1) startedAt = performance.now()
    if (called === calls) done.resolve()
  }
  const running = await mesh.start(defineService(name, { handlers: handlers(onCall) }))
  await done.promise
  const us = ((performance.now() - startedAt) * 1000) / calls
  await running.stop()
  return us
}
