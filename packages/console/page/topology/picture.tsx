import type { CSSProperties, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { TopologyView } from '../../src/api/schemas/topology.ts'
import { Text } from '../parts/text.tsx'
import { perSecond } from '../parts/rate.ts'
import { useWidth } from '../parts/use-width.ts'
import { HandlerNode } from './handler-node.tsx'
import { flowOf, isFailing } from './publish-edge.ts'
import { type EdgePath, handlerId, type Layout, layOut, type NodeBox, publisherId, subjectId } from './layout.ts'

/** Services, subjects and handlers with what flows between them. */
export function Picture({ topology }: { topology: TopologyView }): JSX.Element {
  const frame = useRef<HTMLDivElement>(null)
  const width = useWidth(frame)
  const [layout, setLayout] = useState<Layout>()
  // What flows changes every moment; where things stand only when there are others.
  const shape = JSON.stringify([
    topology.subjects,
    topology.publishes,
    topology.handlers.map(({ service, handler, hears }) => [service, handler, hears]),
  ])
  useEffect(() => {
    if (width === undefined) return undefined
    let isWanted = true
    void layOut(topology, width).then((found) => isWanted && setLayout(found))
    return () => void (isWanted = false)
  }, [shape, width])
  return (
    <div ref={frame} class="picture" role="group" aria-label="Services, subjects and handlers">
      {layout ? <Drawn layout={layout} topology={topology} /> : <p class="loading">Drawing …</p>}
    </div>
  )
}

function Drawn({ layout, topology }: { layout: Layout; topology: TopologyView }): JSX.Element {
  const boxes = new Map(layout.nodes.map((node) => [node.id, node]))
  const at = (id: string, draw: (box: NodeBox) => JSX.Element): JSX.Element | null => {
    const box = boxes.get(id)
    return box ? draw(box) : null
  }
  return (
    <div class="canvas" style={{ height: `${layout.height}px` }}>
      <svg width={layout.width} height={layout.height} aria-hidden="true">
        {layout.groups.map(({ id, x, y, width, height }) => (
          <rect key={id} class="group" x={x} y={y} width={width} height={height} rx="8" />
        ))}
        {layout.edges.map((edge) => (
          <Edge key={`${edge.from}>${edge.to}`} edge={edge} topology={topology} />
        ))}
      </svg>
      {layout.groups.map(({ id, label, kind, ...box }) => (
        <p key={id} class="group-label" style={placeOf({ ...box, height: 22 })}>
          <Text>{label}</Text> <StreamRate topology={topology} name={label} isStream={kind === 'subject'} />
        </p>
      ))}
      {[...new Set(topology.publishes.map(({ service }) => service))].map((service) =>
        at(publisherId(service), (box) => (
          <div key={service} class="node service" style={placeOf(box)}>
            <span class="node-name">
              <Text>{service}</Text>
              <span class="unseen">
                {' '}
                publishes{' '}
                {topology.publishes
                  .filter((edge) => edge.service === service)
                  .map((edge) => `${edge.subject}, now ${flowOf(edge)}`)
                  .join('; ')}
              </span>
            </span>
          </div>
        )),
      )}
      {topology.subjects.map(({ name }) =>
        at(subjectId(name), (box) => (
          <a key={name} class="node subject" style={placeOf(box)} href={`/events?type=${encodeURIComponent(name)}`}>
            <code class="node-name">
              <Text>{name}</Text>
            </code>
          </a>
        )),
      )}
      {topology.handlers.map((handler) =>
        at(handlerId(handler), (box) => (
          <HandlerNode key={handlerId(handler)} handler={handler} style={placeOf(box)} isSmall={box.height < 40} />
        )),
      )}
    </div>
  )
}

const placeOf = ({ x, y, width, height }: Omit<NodeBox, 'id'>): CSSProperties => ({
  left: `${x}px`,
  top: `${y}px`,
  width: `${width}px`,
  height: `${height}px`,
})

function StreamRate({
  topology,
  name,
  isStream,
}: {
  topology: TopologyView
  name: string
  isStream: boolean
}): JSX.Element | null {
  const stream = isStream ? topology.streams.find((one) => one.name === name) : undefined
  if (!stream) return null
  const rate = perSecond(stream.storedPerSecond)
  if (stream.alarms.length === 0) return <span class="rate">{rate}</span>
  const alarms = stream.alarms.join('; ')
  return (
    <span class="rate bad" title={alarms}>
      ! {rate}
      <span class="unseen"> {alarms}</span>
    </span>
  )
}

function Edge({ edge, topology }: { edge: EdgePath; topology: TopologyView }): JSX.Element | null {
  const handler = topology.handlers.find((one) => handlerId(one) === edge.to)
  if (handler)
    return <path class={`edge ${handler.state}`} d={edge.path} stroke-width={widthOf(handler.donePerSecond, handler)} />
  const published = topology.publishes.find(
    ({ service, subject }) => publisherId(service) === edge.from && subjectId(subject) === edge.to,
  )
  if (!published) return null
  const state = isFailing(published) ? 'failing' : published.storedPerSecond === null ? 'unknown' : 'runs'
  return (
    <g>
      <path class={`edge ${state}`} d={edge.path} stroke-width={widthOf(published.storedPerSecond, published)} />
      <text class={`edge-rate ${state}`} x={edge.x} y={edge.y - 6} text-anchor="middle">
        {state === 'failing' ? `! ${perSecond(published.failedPerSecond)} fail` : perSecond(published.storedPerSecond)}
      </text>
    </g>
  )
}

/** As thick as what flows. */
function widthOf(well: number | null, { failedPerSecond }: { failedPerSecond: number | null }): string {
  const flow = (well ?? 0) + (failedPerSecond ?? 0)
  return Math.min(7, 1.3 + Math.log10(1 + flow) * 2).toFixed(1)
}
