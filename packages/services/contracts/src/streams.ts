import { days, stream, type StreamDef } from '@malha/mesh'

/** What happens to a centre as such: `center.registered`, `center.onboarded`. */
export const centers: StreamDef = stream('CENTERS', { subjects: ['center.>'], maxAgeMs: days(30) })

/** What partner systems did for a centre: `provider.created`, `city.registered`. */
export const partners: StreamDef = stream('PARTNERS', { subjects: ['provider.>', 'city.>'], maxAgeMs: days(30) })
