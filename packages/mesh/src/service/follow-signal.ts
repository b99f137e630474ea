const followers = new WeakMap<AbortSignal, Set<AbortController>>()

/**
 * Has a controller abort with a signal that lives as long as the process. `AbortSignal.any` would do it too, but what is
 * made with it stays with that signal where a listener is left on it (Node issue 64476): an entry for each message.
 * @returns what ends it
 */
export function follow(signal: AbortSignal, controller: AbortController): () => void {
  if (signal.aborted) {
    controller.abort(signal.reason)
    return () => undefined
  }
  const all = followers.get(signal) ?? firstOf(signal)
  all.add(controller)
  return () => void all.delete(controller)
}

function firstOf(signal: AbortSignal): Set<AbortController> {
  const all = new Set<AbortController>()
  followers.set(signal, all)
  const onAbort = (): void => {
    for (const controller of all) controller.abort(signal.reason)
    all.clear()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  return all
}
