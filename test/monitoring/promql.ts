import { parser } from '@prometheus-io/lezer-promql'

/** What a query reads: every name of a metric in it. @throws SyntaxError where it is no PromQL */
export function metricsOf(query: string): string[] {
  const found = new Set<string>()
  parser.parse(query).iterate({
    enter({ type, node, from, to }) {
      if (type.isError) throw new SyntaxError(`no PromQL at ${from}: ${query}`)
      if (type.name !== 'VectorSelector') return
      const name = node.getChild('Identifier')
      if (name) found.add(query.slice(name.from, name.to))
      else throw new SyntaxError(`a selector without a name at ${from} to ${to}: ${query}`)
    },
  })
  return [...found]
}
