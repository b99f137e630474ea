/** A part of the configuration of Jaeger's page: what a value in a trace leads to. */
export type JaegerLinks = {
  readonly linkPatterns: readonly {
    readonly type: 'tags' | 'traces'
    readonly key?: string
    readonly url: string
    readonly text: string
  }[]
}

/**
 * Has Jaeger's page lead from a trace, and from a span's message, to its journey in the console. `#{…}` is filled in by Jaeger,
 * encoded for an address; source: https://www.jaegertracing.io/docs/latest/frontend-ui, Link Patterns.
 */
export function jaegerLinks(consoleUrl: string): JaegerLinks {
  const base = consoleUrl.replace(/\/+$/, '')
  return {
    linkPatterns: [
      { type: 'traces', url: `${base}/journey?of=#{traceID}`, text: 'Journey in the console' },
      {
        type: 'tags',
        key: 'mesh.message.id',
        url: `${base}/journey?of=#{mesh.message.id}`,
        text: 'Journey of this message in the console',
      },
      {
        type: 'tags',
        key: 'messaging.message.id',
        url: `${base}/journey?of=#{mesh.message.id}`,
        text: 'Journey of this message in the console',
      },
    ],
  }
}
