import { createRequire } from 'node:module'
import type * as http from 'node:http'
import type * as https from 'node:https'

/** An `import` of node:http reads all that it exports, and so loads the HTTP client behind its WebSocket: 25 ms of a start. */
const load = createRequire(import.meta.url)

/** Connections to the collector that can be given up. */
export type CollectorAgent = { agent: http.Agent | https.Agent; close(): void }

/**
 * The exporter goes on for 10 s on a collector that is away, and nothing of its interface ends that: a process that is
 * done would stay. So after `close` the sockets are cut and no new one opens.
 */
export function collectorAgent(url: string): CollectorAgent {
  const options = { keepAlive: true, keepAliveMsecs: 10_000, maxFreeSockets: 2 }
  const { Agent } = load(url.startsWith('https:') ? 'node:https' : 'node:http') as typeof http | typeof https
  const agent = new Agent(options)
  const connect = agent.createConnection.bind(agent)
  let closed = false
  agent.createConnection = (...args) => {
    if (closed) throw new Error('the process ends; nothing more is sent to the collector')
    return connect(...args)
  }
  return {
    agent,
    close() {
      closed = true
      agent.destroy()
    },
  }
}
