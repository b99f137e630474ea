import * as http from 'node:http'
import * as https from 'node:https'

/** Connections to the collector that can be given up. */
export type CollectorAgent = { agent: http.Agent | https.Agent; close(): void }

/**
 * The exporter goes on for 10 s on a collector that is away, and nothing of its interface ends that: a process that is
 * done would stay. So after `close` the sockets are cut and no new one opens.
 */
export function collectorAgent(url: string): CollectorAgent {
  const options = { keepAlive: true, keepAliveMsecs: 10_000, maxFreeSockets: 2 }
  const agent = url.startsWith('https:') ? new https.Agent(options) : new http.Agent(options)
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
