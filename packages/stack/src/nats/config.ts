import type { NatsOptions } from './server.ts'

export type NatsConfig = Pick<NatsOptions, 'dataDir' | 'config' | 'maxStoreBytes' | 'syncAlways'> & {
  name: string
  /** Told apart from any other server by this tag, which `/varz` shows. */
  token: string
  port: number
  monitorPort: number
  cluster?: {
    name: string
    port: number
    routes: readonly number[]
    /** Others are not told where this one is reached: they know by their own `routes`. Nor are clients. */
    isSecret?: boolean
  }
}

/** A configuration file for one server. What the caller adds comes last and so wins. */
export function natsConfig(options: NatsConfig): string {
  const { name, token, port, monitorPort, dataDir, maxStoreBytes, syncAlways, cluster, config = '' } = options
  const quoted = JSON.stringify
  const lines = [
    `server_name: ${quoted(name)}`,
    `server_tags: [${quoted(token)}]`,
    `listen: "127.0.0.1:${port}"`,
    `http: "127.0.0.1:${monitorPort}"`,
    'jetstream {',
    `  store_dir: ${quoted(dataDir)}`,
    ...(maxStoreBytes === undefined ? [] : [`  max_file_store: ${maxStoreBytes}`]),
    ...(syncAlways ? ['  sync_interval: always'] : []),
    '}',
  ]
  if (cluster) {
    const routes = cluster.routes.map((route) => quoted(`nats://127.0.0.1:${route}`)).join(', ')
    // Servers gossip; nobody listens on the discard port, so no route is made to what they tell. Clients are told nothing.
    const advertise = cluster.isSecret ? ', advertise: "127.0.0.1:9", no_advertise: true' : ''
    const listen = `listen: "127.0.0.1:${cluster.port}"`
    lines.push(`cluster { name: ${quoted(cluster.name)}, ${listen}${advertise}, routes: [${routes}] }`)
  }
  return `${[...lines, config].join('\n')}\n`
}
