/** Resolves with `promise`, or after `ms`. @throws what `promise` rejects with before that */
export async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, Math.max(0, ms))
  await Promise.race([promise, late])
  clearTimeout(timer)
}
