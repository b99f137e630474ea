import type { FastifyInstance } from 'fastify'
import { controlApi } from './control-api.ts'
import { type Fault, up } from './fault.ts'
import { openLedger, type Received } from './ledger.ts'
import { listen, type Listener } from './listener.ts'
import { partnerApi } from './partner-api.ts'
import { dialects, type PartnerName } from './partners.ts'

export type PartnerOptions = {
  partner: PartnerName
  /** @default '127.0.0.1' */
  host?: string
  /** @default 0, a free one */
  port?: number
  /** @default 0, a free one */
  controlPort?: number
  /** Keeps what was received and done in `<dataDir>/<partner>.sqlite`. @default in memory */
  dataDir?: string
  /** How long an answer takes, ms. @default 5 to 20, at random */
  latencyMs?: number
  /** How it begins; never kept. @default up */
  fault?: Fault
}

/** A partner that runs in this process. */
export interface Partner extends AsyncDisposable {
  readonly url: string
  readonly controlUrl: string
  readonly fault: Fault
  setFault(fault: Fault): Promise<void>
  received(): Received
  close(): Promise<void>
}

/**
 * Starts a partner system.
 * @throws when a port is taken or the data cannot be opened
 */
export async function startPartner(options: PartnerOptions): Promise<Partner> {
  const host = options.host ?? '127.0.0.1'
  await using opened = new AsyncDisposableStack()
  const ledger = openLedger(options.partner, options.dataDir)
  opened.defer(() => ledger.close())
  let fault = up
  const api = partnerApi({
    dialect: dialects[options.partner],
    ledger,
    fault: () => fault,
    latencyMs: () => options.latencyMs ?? 5 + Math.random() * 15,
  })
  const apiListener = await serve(api, host, options.port ?? 0, opened)
  const setFault = inTurn(async (next: Fault) => {
    await (next.mode === 'down' ? apiListener.shut() : apiListener.open())
    fault = next
  })
  await setFault(options.fault ?? up)
  const control = controlApi({ fault: () => fault, setFault, received: () => ledger.received() })
  const controlListener = await serve(control, host, options.controlPort ?? 0, opened)
  const kept = opened.move()
  const close = (): Promise<void> => kept.disposeAsync()
  return {
    url: urlOf(host, apiListener),
    controlUrl: urlOf(host, controlListener),
    get fault() {
      return fault
    },
    setFault,
    received: () => ledger.received(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function serve(
  app: FastifyInstance,
  host: string,
  port: number,
  opened: AsyncDisposableStack,
): Promise<Listener> {
  await app.ready()
  opened.defer(() => app.close())
  const listener = await listen(host, port, (request, response) => app.routing(request, response))
  opened.defer(() => listener.shut())
  return listener
}

/** One call after the other: a port must not be opened while it is being shut. */
function inTurn<T>(run: (value: T) => Promise<void>): (value: T) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve()
  return (value) => {
    const turn = last.catch(() => undefined).then(() => run(value))
    last = turn.catch(() => undefined)
    return turn
  }
}

function urlOf(host: string, { port }: Listener): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
