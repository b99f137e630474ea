/**
 * Loaded by Node.js before the program of an image. Process 1 has no default for a signal: until the program listens itself, which on
 * a busy machine takes seconds, SIGTERM would be lost, and the container be killed when its time to stop is over.
 */
const CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

for (const [signal, code] of Object.entries(CODES))
  process.on(signal, () => {
    // Who listens says how it ends.
    if (process.listenerCount(signal) === 1) process.exit(code)
  })
