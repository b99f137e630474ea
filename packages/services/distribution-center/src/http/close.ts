import type { FastifyInstance } from 'fastify'

const SWEEP_MS = 50

/**
 * Takes no new connection, lets requests at work finish for at most `graceMs`, then cuts what is left. The server closes
 * only connections that are idle at that moment; one that becomes idle afterwards would hold it for its keep-alive time.
 */
export async function closeGracefully(app: FastifyInstance, graceMs = 5_000): Promise<void> {
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS)
  const cut = setTimeout(() => app.server.closeAllConnections(), graceMs)
  try {
    await app.close()
  } finally {
    clearInterval(sweep)
    clearTimeout(cut)
  }
}
