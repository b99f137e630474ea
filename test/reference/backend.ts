/** A server a test may kill: its ports and its data stay. */
export interface Backend<Server> extends AsyncDisposable {
  /** The one that runs now, or ran last. */
  readonly server: Server
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again when it has ended, however that came. */
  restart(): Promise<void>
}

type Server = { readonly exited: Promise<unknown>; kill(): void; stop(): Promise<void> }

/** @param now Whether it is started at once. */
export async function backend<T extends Server>(
  start: () => Promise<T>,
  now: boolean,
): Promise<Backend<T | undefined>> {
  let server = now ? await start() : undefined
  return {
    get server() {
      return server
    },
    async kill() {
      server?.kill()
      await server?.exited
    },
    async restart() {
      await server?.exited
      server = await start()
    },
    async [Symbol.asyncDispose]() {
      await server?.stop()
    },
  }
}
