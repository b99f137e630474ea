/** A value that is here, or will be. What is here already goes on without a promise, which costs more than most steps. */
export type Maybe<T> = T | Promise<T>

/** What `step` makes of the value: now if it is here, else when it is. */
export function chain<T, R>(value: Maybe<T>, step: (value: T) => Maybe<R>): Maybe<R> {
  return value instanceof Promise ? value.then(step) : step(value)
}

/** What `run` gives, or what `onError` makes of its error, whenever it comes. */
export function recover<T, E>(run: () => Maybe<T>, onError: (error: unknown) => E): Maybe<T | E> {
  try {
    const value = run()
    return value instanceof Promise ? value.catch(onError) : value
  } catch (error) {
    return onError(error)
  }
}

/** Whether `await` would wait for it: a promise of any make. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return typeof (value as { then?: unknown }).then === 'function'
}
