/** A second one of these ends the process at once. */
const IMPATIENT = ['SIGINT', 'SIGTERM'] as const
/** A terminal that is closed sends it, also right after Ctrl-C: the end stays an orderly one. */
const HANGUP = 'SIGHUP'

/** Somebody asked this process to stop. */
export class StopRequested extends Error {
  override readonly name = 'StopRequested'
  readonly asked: NodeJS.Signals

  constructor(asked: NodeJS.Signals) {
    super(`stopped by ${asked}`)
    this.asked = asked
  }
}

export interface StopRequest extends Disposable {
  /** Aborts with a `StopRequested` at the first SIGINT, SIGTERM or SIGHUP. A second SIGINT or SIGTERM ends the process at once. */
  readonly signal: AbortSignal
  /** Resolves then. */
  readonly asked: Promise<void>
}

/** From now on the usual signals ask for an orderly end. */
export function listenForStop(): StopRequest {
  const controller = new AbortController()
  const forget = (): void => {
    for (const signal of IMPATIENT) process.off(signal, stop)
  }
  const stop = (signal: NodeJS.Signals): void => {
    forget()
    controller.abort(new StopRequested(signal))
  }
  for (const signal of [...IMPATIENT, HANGUP]) process.on(signal, stop)
  // What cannot be shown any more must not keep anything from being stopped.
  for (const out of [process.stdout, process.stderr]) out.on('error', () => undefined)
  const asked = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()))
  return { signal: controller.signal, asked, [Symbol.dispose]: forget }
}
