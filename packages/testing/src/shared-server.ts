import { type TestServer, testServer } from './test-server.ts'

/** How long a server nobody uses is kept for the next test of the file, ms. */
const LINGER_MS = 1_000

let server: Promise<TestServer> | undefined
let users = 0
let leaving: NodeJS.Timeout | undefined

/** A server on loan. */
export interface Loan extends AsyncDisposable {
  readonly server: TestServer
}

/**
 * The server the tests of one file share (test runners load modules anew for each file). It starts with the first loan
 * and ends a little after the last is returned; should the process be gone by then, the stack's watchdog ends it.
 */
export async function borrowServer(): Promise<Loan> {
  clearTimeout(leaving)
  users += 1
  server ??= testServer()
  const mine = server
  try {
    const lent = await mine
    // A test that killed it and did not start it again must not fail its neighbours.
    await lent.start()
    return { server: lent, [Symbol.asyncDispose]: () => giveBack() }
  } catch (error) {
    if (server === mine) server = undefined
    await giveBack()
    throw error
  }
}

async function giveBack(): Promise<void> {
  users -= 1
  if (users > 0) return
  const unused = server
  leaving = setTimeout(() => {
    if (server === unused) server = undefined
    void unused?.then((idle) => idle[Symbol.asyncDispose]()).catch(() => undefined)
  }, LINGER_MS)
}
