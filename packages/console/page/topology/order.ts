import type { Link, Node } from './layout.ts'

/**
 * In which order the nodes of each column stand, so that few links cross and what belongs together stays together: dagre lays the
 * graph out, from left to right. The library comes with the first picture.
 */
export async function orderOf(nodes: readonly Node[], links: readonly Link[]): Promise<ReadonlyMap<string, number>> {
  const { default: dagre } = await import('@dagrejs/dagre')
  const graph = new dagre.graphlib.Graph({ compound: true })
  graph.setGraph({ rankdir: 'LR', nodesep: 10, ranksep: 40 })
  graph.setDefaultEdgeLabel(() => ({}))
  // Everything hangs on one root, so that each kind has its column.
  graph.setNode('root', { width: 1, height: 1 })
  const isLedTo = new Set(links.map(({ to }) => to))
  for (const { id, kind, group, height } of nodes) {
    graph.setNode(id, { width: 100, height })
    if (group !== undefined) {
      const parent = `${kind} of ${group}`
      if (!graph.hasNode(parent)) graph.setNode(parent, {})
      graph.setParent(id, parent)
    }
    if (!isLedTo.has(id)) graph.setEdge('root', id, { minlen: kind === 'publisher' ? 1 : 2, weight: 0 })
  }
  for (const { from, to } of links) graph.setEdge(from, to)
  dagre.layout(graph)
  return new Map(nodes.map(({ id }) => [id, (graph.node(id) as { y: number }).y]))
}
