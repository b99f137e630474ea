import { z } from 'zod'

/** The partner systems this program can be. */
export const partnerNames = ['senninha', 'maas', 'dmitri'] as const
export type PartnerName = (typeof partnerNames)[number]

/** How one partner speaks: where it listens, what it takes, what it answers. */
export type Dialect = {
  readonly path: string
  /** Reads a body; the centre it concerns, or every fault of it. */
  readonly read: (body: unknown) => { centerId: string } | { faults: string[] }
  /** Answers with the number of the effect, counted from 1. */
  readonly answer: (effect: number) => Record<string, string>
}

const word = z.string().min(1)
const city = z.strictObject({ name: word, state: word, country: word })
const capacity = z.int().nonnegative().optional()

const SenninhaBody = z.strictObject({ centerId: word, name: word, city, capacity })
const MaasBody = z.strictObject({
  externalId: word,
  displayName: word,
  location: z.strictObject({ city: word, state: word, country: word }),
  capacity,
})
const DmitriBody = z.strictObject({
  centerId: word,
  name: word,
  state: word,
  country: word,
  geonameId: z.int().positive().optional(),
})

export const dialects: Readonly<Record<PartnerName, Dialect>> = {
  senninha: {
    path: '/providers',
    read: reader(SenninhaBody, (body) => body.centerId),
    answer: (effect) => ({ id: `SNN-${number(effect)}` }),
  },
  maas: {
    path: '/api/v1/providers',
    read: reader(MaasBody, (body) => body.externalId),
    answer: (effect) => ({ providerId: `maas:${number(effect)}` }),
  },
  dmitri: {
    path: '/cities',
    read: reader(DmitriBody, (body) => body.centerId),
    answer: (effect) => ({ registrationId: `DM${number(effect)}` }),
  },
}

function reader<T>(schema: z.ZodType<T>, centerOf: (body: T) => string): Dialect['read'] {
  return (body) => {
    const read = schema.safeParse(body)
    return read.success ? { centerId: centerOf(read.data) } : { faults: faultsOf(read.error) }
  }
}

/** One line a fault: where it is, then what is wrong. */
export function faultsOf(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
}

function number(effect: number): string {
  return String(effect).padStart(6, '0')
}
