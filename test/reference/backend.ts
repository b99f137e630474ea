/** A server a test may kill: its ports and its data stay. */
export interface Backend<Server> extends AsyncDisposable {
  /** The one that runs now, or ran last. */
  readonly server: Server
  readonly isRunning: boolean
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>
  /** Starts it again when it has ended, however that came. */
  restart(): Promise<void>
}

type Server = { readonly exited: Promise<unknown>; kill(): void; stop(): Promise<void> }

/** @param now Whether it is started at once. */
export async function backend<T extends Server>(
  start: () => Promise<T>,
  now: boolean,
): Promise<Backend<T | undefined>> {
  let server: T | undefined
  let isRunning = false
  const begin = async (): Promise<void> => {
    const begun = await start()
    server = begun
    isRunning = true
    void begun.exited.then(() => (isRunning = false))
  }
  const stop = async (): Promise<void> => server?.stop()
  if (now) await begin()
  return {
    get server() {
      return server
    },
    get isRunning() {
      return isRunning
    },
    async kill() {
      server?.kill()
      await server?.exited
    },
    stop,
    async restart() {
      await server?.exited
      await begin()
    },
    [Symbol.asyncDispose]: stop,
  }
}
