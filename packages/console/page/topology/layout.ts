import type { TopologyView } from '../../src/api/schemas/topology.ts'
import { orderOf } from './order.ts'

type Box = { x: number; y: number; width: number; height: number }
export type NodeBox = Box & { id: string }
/** What belongs together: subjects of a stream, handlers of a service. */
export type GroupBox = Box & { id: string; label: string; kind: Kind }
/** `x` and `y`: its middle. */
export type EdgePath = { from: string; to: string; path: string; x: number; y: number }
export type Layout = { width: number; height: number; nodes: NodeBox[]; groups: GroupBox[]; edges: EdgePath[] }

/** Services that publish, subjects, handlers: each has its column. */
export type Kind = 'publisher' | 'subject' | 'handler'
export type Node = { id: string; kind: Kind; group: string | undefined; height: number }
export type Link = { from: string; to: string }

export const publisherId = (service: string): string => `p ${service}`
export const subjectId = (subject: string): string => `s ${subject}`
export const handlerId = ({ service, handler }: { service: string; handler: string }): string =>
  `h ${service} ${handler}`

/** Narrower than this, a screen has room for two columns: who publishes stands in the table. */
const NARROW = 640
const WIDEST = 1240
/** From so many on, handlers take one line each. */
const MANY = 16
const GAP = 10
const HEAD = 24

/** Where everything stands, in an order with few crossings. */
export async function layOut(topology: TopologyView, room: number): Promise<Layout> {
  const isNarrow = room < NARROW
  const nodes = nodesOf(topology, isNarrow)
  const links = linksOf(topology, isNarrow)
  const order = await orderOf(nodes, links)
  const sorted = nodes.toSorted((a, b) => order.get(a.id)! - order.get(b.id)!)
  const places = new Map<string, NodeBox>()
  const columns = columnsIn(Math.min(room, WIDEST), isNarrow)
  // From right to left: what leads somewhere stands where it leads to.
  for (const kind of ['handler', 'subject', 'publisher'] as const) {
    const wanted = (id: string): number =>
      meanOf(links.flatMap(({ from, to }) => (from === id ? (places.get(to) ?? []) : [])))
    for (const box of stacked(
      sorted.filter((node) => node.kind === kind),
      columns[kind],
      wanted,
    ))
      places.set(box.id, box)
  }
  const groups = groupsOf(sorted, places)
  const height = Math.max(0, ...[...places.values(), ...groups].map((one) => one.y + one.height)) + GAP
  const edges = links.map(({ from, to }) => ({ from, to, ...curve(places.get(from)!, places.get(to)!) }))
  return { width: room, height, nodes: [...places.values()], groups, edges }
}

function nodesOf({ publishes, subjects, handlers }: TopologyView, isNarrow: boolean): Node[] {
  const services = isNarrow ? [] : [...new Set(publishes.map(({ service }) => service))]
  const height = isNarrow ? 68 : handlers.length > MANY ? 30 : 54
  return [
    ...services.map((service): Node => ({ id: publisherId(service), kind: 'publisher', group: undefined, height: 34 })),
    ...subjects.map(({ name, stream }): Node => ({ id: subjectId(name), kind: 'subject', group: stream, height: 34 })),
    ...handlers.map((one): Node => ({ id: handlerId(one), kind: 'handler', group: one.service, height })),
  ]
}

function linksOf({ publishes, handlers }: TopologyView, isNarrow: boolean): Link[] {
  const told = isNarrow
    ? []
    : publishes.map(({ service, subject }) => ({ from: publisherId(service), to: subjectId(subject) }))
  const heard = handlers.flatMap((one) => one.hears.map((name) => ({ from: subjectId(name), to: handlerId(one) })))
  return [...told, ...heard]
}

type Column = { x: number; width: number }

function columnsIn(room: number, isNarrow: boolean): Record<Kind, Column> {
  if (isNarrow) {
    const width = Math.floor((room - 28) / 2) - 8
    return { publisher: { x: 0, width: 0 }, subject: { x: 7, width }, handler: { x: room - width - 7, width } }
  }
  const width = Math.floor((room - 200) / 3)
  const first = Math.min(width, 190)
  return {
    publisher: { x: 1, width: first },
    subject: { x: first + 90, width },
    handler: { x: room - width - 8, width },
  }
}

/** One below the other, no higher than it is wanted; a group has room for its name above it. */
function stacked(nodes: readonly Node[], { x, width }: Column, wanted: (id: string) => number): NodeBox[] {
  let free = 2
  let group: string | undefined
  const sorted = nodes.every((node) => node.group === undefined)
    ? nodes.toSorted((a, b) => wanted(a.id) - wanted(b.id))
    : nodes
  return sorted.map(({ id, height, group: own }) => {
    if (own !== group) free += HEAD + (group === undefined ? 0 : GAP)
    group = own
    const y = Math.max(free, wanted(id) - height / 2)
    free = y + height + GAP
    return { id, x, y, width, height }
  })
}

/** Of the middles of boxes; 0 without any. */
function meanOf(boxes: readonly Box[]): number {
  const sum = boxes.reduce((total, { y, height }) => total + y + height / 2, 0)
  return boxes.length === 0 ? 0 : sum / boxes.length
}

function groupsOf(nodes: readonly Node[], places: ReadonlyMap<string, NodeBox>): GroupBox[] {
  const names = new Map(
    nodes.flatMap(({ kind, group }) => (group === undefined ? [] : [[`${kind} ${group}`, { kind, group }]])),
  )
  return [...names].map(([id, { kind, group }]) => {
    const members = nodes
      .filter((node) => node.kind === kind && node.group === group)
      .map((node) => places.get(node.id)!)
    const [{ x, width }] = members as [NodeBox]
    const y = Math.min(...members.map((one) => one.y)) - HEAD
    const end = Math.max(...members.map((one) => one.y + one.height)) + GAP / 2
    return { id, label: group, kind, x: x - 6, y, width: width + 12, height: end - y }
  })
}

function curve(from: Box, to: Box): Omit<EdgePath, 'from' | 'to'> {
  const [x1, y1] = [from.x + from.width, from.y + from.height / 2]
  const [x2, y2] = [to.x, to.y + to.height / 2]
  const bend = Math.max(14, (x2 - x1) / 2)
  const path = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
  return { path, x: (x1 + x2) / 2, y: (y1 + y2) / 2 }
}
