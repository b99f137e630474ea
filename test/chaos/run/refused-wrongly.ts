/**
 * An answer that comes later than whoever asked waits, as of a process that was stopped, is let out no more. A service that
 * starts while a stream is deleted may not make it, and leaves that to the operator. Connections that say nothing in time
 * are cut.
 */
const RIGHTLY = [/Publish Violation - Subject "_INBOX_/, /Authentication Timeout/i]

/** What brokers refused that they should not have, each once. */
export function refusedWrongly(refusals: readonly string[], deletedStreams: readonly string[]): string[] {
  const own = deletedStreams.map((stream) => `"$JS.API.STREAM.CREATE.${stream}"`)
  const isRight = (line: string): boolean =>
    RIGHTLY.some((kind) => kind.test(line)) || own.some((subject) => line.includes(subject))
  return [...new Set(refusals.filter((line) => !isRight(line)))]
}
