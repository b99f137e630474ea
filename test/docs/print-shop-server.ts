import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PrintShop extends AsyncDisposable {
  readonly url: string
  /** The idempotency key of each request. */
  readonly keys: string[]
}

/** A print shop on a free port that answers with the status `statusOf` gives; `attempt` counts the requests of one key. */
export async function printShop(statusOf: (key: string, attempt: number) => number): Promise<PrintShop> {
  const keys: string[] = []
  const server = createServer((request, response) => {
    const key = String(request.headers['idempotency-key'])
    keys.push(key)
    response.writeHead(statusOf(key, keys.filter((seen) => seen === key).length)).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
