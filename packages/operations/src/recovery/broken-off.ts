import { OperationsError, type OperationsErrorCode } from '../errors.ts'

/**
 * Does a part of what can be done again from where it stopped.
 * @param failed What is said when it fails: what could not be done.
 * @throws OperationsError `code`
 */
export async function orGoOnLater<Result>(
  code: OperationsErrorCode,
  failed: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new OperationsError(
      code,
      `${failed} (${why}); what was brought back stays: mend that, and run the same command again`,
      { cause },
    )
  }
}
