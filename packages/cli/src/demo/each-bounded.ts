/** Runs `work` over the items, at most `parallel` at once. Rejects with the first failure, after what was begun has ended. */
export async function eachBounded<T>(
  items: readonly T[],
  parallel: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const failures: unknown[] = []
  const drain = async (): Promise<void> => {
    for (const item of queue) {
      if (failures.length > 0) return
      await work(item).catch((error: unknown) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: parallel }, drain))
  if (failures.length > 0) throw failures[0]
}
