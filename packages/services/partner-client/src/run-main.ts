/**
 * Runs the main function of a service process. `stopping` aborts at SIGTERM and SIGINT, from the first moment on. What
 * `main` throws is the process's last line, as JSON like all its lines, and ends it with 1.
 */
export async function runMain(service: string, main: (stopping: AbortSignal) => Promise<void>): Promise<void> {
  const stopping = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())
  try {
    await main(stopping.signal)
  } catch (error) {
    const msg = error instanceof Error ? error.message : String(error)
    const line = { level: 'fatal', time: new Date().toISOString(), name: service, pid: process.pid, msg }
    process.stdout.write(`${JSON.stringify(line)}\n`)
    process.exitCode = 1
  }
}
