import { event, stream } from '@malha/mesh'
import { z } from 'zod'

/** How the handler fails: letters of each are a group. */
export const WAYS = [
  'the address is unknown',
  'the hub refuses the weight',
  'the carrier has no route',
  'customs want a paper',
  'the label cannot be read',
  'the insurer says no',
  'the country is not served',
  'the scale is away',
  'the receiver moved',
  'the tariff is missing',
] as const

const parcels = stream('PARCELS', { subjects: ['parcel.>'], maxBytes: 4 * 1024 ** 3 })

/** Each has a key of its own. */
export const parcelSent = event('parcel.sent', {
  stream: parcels,
  schema: z.object({ n: z.int(), to: z.string() }),
  key: ({ n }) => `parcel-${n}`,
})

/** What a parcel says beside its number, so that an event is of a usual size. */
export const TO = 'x'.repeat(300)
