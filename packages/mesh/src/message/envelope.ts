import { MeshError } from '../errors.ts'
import type { AnyContract } from './contract.ts'
import { decodeAttribute, encodeAttribute, HEADER } from './headers.ts'

/** What a message says of itself, apart from its payload. */
export type Envelope = {
  id: string
  type: string
  version: number
  source: string
  /** When it happened, RFC 3339. */
  time: string
  key: string | undefined
  correlationId: string
  causationId: string | undefined
  contentType: string
}

/** What a new event is about; without `correlationId` it is the first of its chain. */
export type Occasion = {
  id: string
  /** The name of the service, or of the connection. */
  from: string
  key: string | undefined
  correlationId: string | undefined
  causationId: string | undefined
}

/** The envelope of an event that happens now. */
export function newEnvelope(
  contract: Pick<AnyContract, 'type' | 'version' | 'codec'>,
  { id, from, key, correlationId, causationId }: Occasion,
): Envelope {
  return {
    id,
    type: contract.type,
    version: contract.version,
    source: `/${from}`,
    time: timeNow(),
    key,
    correlationId: correlationId ?? id,
    causationId,
    contentType: contract.codec.contentType,
  }
}

let writtenMs = Number.NaN
let written = ''

/** Written once a millisecond, which may hold dozens of events. */
function timeNow(): string {
  const now = Date.now()
  if (now !== writtenMs) {
    writtenMs = now
    written = new Date(now).toISOString()
  }
  return written
}

/** Headers of a received message, names in lower case; of a repeated header the first value. */
export type ReceivedHeaders = Readonly<Record<string, string>>

/** The envelope as headers, without trace context and `Nats-*`. */
export function envelopeHeaders(envelope: Envelope): [string, string][] {
  const pairs: [string, string][] = [
    [HEADER.specVersion, '1.0'],
    [HEADER.id, encodeAttribute(envelope.id)],
    [HEADER.type, envelope.type],
    [HEADER.source, encodeAttribute(envelope.source)],
    [HEADER.time, envelope.time],
    [HEADER.dataSchema, `${envelope.type}/${envelope.version}`],
    [HEADER.correlationId, encodeAttribute(envelope.correlationId)],
    [HEADER.contentType, envelope.contentType],
  ]
  if (envelope.key !== undefined) pairs.push([HEADER.partitionKey, encodeAttribute(envelope.key)])
  if (envelope.causationId !== undefined) pairs.push([HEADER.causationId, encodeAttribute(envelope.causationId)])
  return pairs
}

/** The same as the lines of a header block: less than half of the memory, where events go by the thousand. */
export function envelopeLines(envelope: Envelope): string {
  const { id, time, key, correlationId, causationId } = envelope
  const { toTime, toCorrelation, end } = fixedLines(envelope)
  const idValue = encodeAttribute(id)
  const correlation = correlationId === id ? idValue : encodeAttribute(correlationId)
  let lines = FIRST_LINES + idValue + toTime + time + toCorrelation + correlation + end
  if (key !== undefined) lines += `${HEADER.partitionKey}: ${encodeAttribute(key)}\r\n`
  if (causationId !== undefined) lines += `${HEADER.causationId}: ${encodeAttribute(causationId)}\r\n`
  return lines
}

const FIRST_LINES = `${HEADER.specVersion}: 1.0\r\n${HEADER.id}: `

/** What all events of a type from one source say, between what each has of its own. */
type FixedLines = Pick<Envelope, 'version' | 'source' | 'contentType'> & {
  toTime: string
  toCorrelation: string
  end: string
}

/** By type; of the version and the source that came last. */
const fixed = new Map<string, FixedLines>()

function fixedLines({ type, version, source, contentType }: Envelope): FixedLines {
  const known = fixed.get(type)
  if (known?.version === version && known.source === source && known.contentType === contentType) return known
  const lines: FixedLines = {
    version,
    source,
    contentType,
    toTime: `\r\n${HEADER.type}: ${type}\r\n${HEADER.source}: ${encodeAttribute(source)}\r\n${HEADER.time}: `,
    toCorrelation: `\r\n${HEADER.dataSchema}: ${type}/${version}\r\n${HEADER.correlationId}: `,
    end: `\r\n${HEADER.contentType}: ${contentType}\r\n`,
  }
  fixed.set(type, lines)
  return lines
}

/** Something with NATS headers; the client's `MsgHdrs` fits. */
export type HeaderSource = Iterable<[string, string[]]>

/** Names in lower case, so that a client which writes `Ce-Id` is understood. */
export function receivedHeaders(headers: HeaderSource | undefined): ReceivedHeaders {
  const received: Record<string, string> = Object.create(null) as Record<string, string>
  if (headers) for (const [name, values] of headers) received[name.toLowerCase()] ??= values[0] ?? ''
  return received
}

/** Every header with every value, names as they came. */
export function headerPairs(headers: HeaderSource | undefined): [string, string][] {
  return headers ? [...headers].flatMap(([name, values]) => values.map((value): [string, string] => [name, value])) : []
}

/** Something whose headers can be looked up, by name in lower case. */
export type HeaderLookup = {
  header(name: string): string | undefined
  /** What is known of its headers before they are looked up. */
  readonly layout?: HeaderLayout
}

/** The very same object for messages whose headers differ only where `same` is undefined. No value has control characters. */
export type HeaderLayout = {
  /** Where a name, in lower case, stands. */
  readonly first: ReadonlyMap<string, number>
  /** Values by place; undefined where messages differ. */
  readonly same: readonly (string | undefined)[]
}

/**
 * Reads the envelope of a received message.
 * @throws MeshError MESH_UNDECODABLE naming the headers that are missing or wrong
 */
export const readEnvelope = (headers: ReceivedHeaders): Envelope => envelopeOf({ header: (name) => headers[name] })

/** The same of headers that are only looked up. What all messages of a layout say alike is read once. */
export function envelopeOf(message: HeaderLookup): Envelope {
  const { layout } = message
  const known = layout && alike.get(layout)
  const id = known && message.header(HEADER.id)
  if (known && id && id.length <= LONGEST_ID && !id.includes('%')) return envelopeWith(message, id, known)
  const envelope = readWhole(message)
  if (layout && !known && ALIKE.every((name) => isSame(layout, name))) alike.set(layout, envelope)
  return envelope
}

type Alike = Pick<Envelope, 'type' | 'version' | 'source' | 'contentType'>
const ALIKE = [HEADER.specVersion, HEADER.type, HEADER.source, HEADER.dataSchema, HEADER.contentType]

/** Of layouts whose messages all say these alike, and rightly. */
const alike = new WeakMap<HeaderLayout, Alike>()

function isSame({ first, same }: HeaderLayout, name: string): boolean {
  const index = first.get(name)
  return index === undefined || same[index] !== undefined
}

function readWhole(message: HeaderLookup): Envelope {
  const faults: string[] = []
  const spec = needed(message, HEADER.specVersion, faults)
  if (spec !== '1.0' && spec !== '' && !/^1\.\d+$/.test(spec))
    faults.push(`ce-specversion is ${JSON.stringify(spec.slice(0, 16))}, not 1.x`)
  const id = needed(message, HEADER.id, faults)
  const type = needed(message, HEADER.type, faults)
  const source = needed(message, HEADER.source, faults)
  if (isUnfitId(id)) faults.push('ce-id has control characters or is over 256 characters')
  const version = versionOf(message.header(HEADER.dataSchema), faults)
  if (faults.length > 0)
    throw new MeshError('MESH_UNDECODABLE', `not a message of this mesh: ${faults.join(', ')} (docs/reference/wire.md)`)
  const contentType = message.header(HEADER.contentType) ?? 'application/json'
  return envelopeWith(message, id, { type, version, source, contentType })
}

const LONGEST_ID = 256

/** It goes to partners as a header. */
// oxlint-disable-next-line no-control-regex -- these are what it looks for
const isUnfitId = (id: string): boolean => id.length > LONGEST_ID || /[\u0000-\u001F\u007F]/.test(id)

function envelopeWith(message: HeaderLookup, id: string, { type, version, source, contentType }: Alike): Envelope {
  const causation = message.header(HEADER.causationId)
  const key = message.header(HEADER.partitionKey)
  const correlation = message.header(HEADER.correlationId)
  return {
    id,
    type,
    version,
    source,
    time: message.header(HEADER.time) ?? '',
    key: key === undefined ? undefined : decodeAttribute(key),
    correlationId: correlation === undefined || correlation === id ? id : decodeAttribute(correlation),
    causationId: causation === undefined ? undefined : decodeAttribute(causation),
    contentType,
  }
}

function needed(message: HeaderLookup, name: string, faults: string[]): string {
  const value = message.header(name)
  if (value === undefined || value === '') faults.push(`${name} is missing`)
  return decodeAttribute(value ?? '')
}

/** The number behind the last slash; a message without `ce-dataschema` is of version 1. */
function versionOf(dataSchema: string | undefined, faults: string[]): number {
  if (dataSchema === undefined) return 1
  const slash = dataSchema.lastIndexOf('/')
  const digits = dataSchema.slice(slash + 1)
  if (slash >= 0 && /^[1-9]\d{0,8}$/.test(digits)) return Number(digits)
  faults.push('ce-dataschema does not end in /<version>')
  return Number.NaN
}
