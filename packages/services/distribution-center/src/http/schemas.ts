import { Center, CenterId, City } from '@malha/contracts'
import { z } from 'zod'

/** Printable ASCII without space: what fits in a header whatever is between client and service. */
const visibleAscii = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'takes 1 to 255 visible ASCII characters')

export const RegisterHeaders = z.object({
  'idempotency-key': visibleAscii
    .optional()
    .describe('Send the same key again to repeat a request safely: same body, same answer; another body, 422.'),
  'x-client-id': visibleAscii
    .optional()
    .describe('Whose idempotency key it is; set by the gateway that knows the client. Without it: anonymous.'),
})

const example = {
  name: 'Distribution centre Recife',
  city: { name: 'Recife', state: 'Pernambuco', country: 'BR', geonameId: 3_390_760 },
  address: 'Avenida Recife 1200',
  capacity: 1200,
}

export const RegisterBody = Center.meta({ examples: [example] })

export const CenterParams = z.object({ id: CenterId })

export const centerStates = ['registered', 'onboarding', 'onboarded', 'failed'] as const

export const ListQuery = z.strictObject({
  after: CenterId.optional().describe('The last id of the page before.'),
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('How many centres at most.'),
  status: z.enum(centerStates).optional().describe('Only centres in this status.'),
})

const Links = z.object({ self: z.string() })

export const Accepted = z
  .object({
    id: CenterId,
    status: z.literal('registered'),
    traceId: z.string().nullable(),
    links: Links,
    queued: z
      .literal(true)
      .optional()
      .describe(
        'The broker is away: the registration is kept here and goes on when it is back. Until then GET is 503.',
      ),
  })
  .meta({
    id: 'Accepted',
    examples: [
      {
        id: 'ctr_3f0c9a5b2d7e4c118a6b0d9e5f7a1c22',
        status: 'registered',
        traceId: '0af7651916cd43dd8448eb211c80319c',
        links: { self: '/centers/ctr_3f0c9a5b2d7e4c118a6b0d9e5f7a1c22' },
      },
    ],
  })

const time = z.string().describe('RFC 3339')

export const PartnerView = z
  .object({
    state: z
      .enum(['pending', 'waiting', 'done', 'failed'])
      .describe('pending: not answered yet; waiting: failed and tried again; failed: given up, a dead letter exists.'),
    attempts: z.int().nonnegative(),
    lastFailure: z.object({ at: time, attempt: z.int().positive(), code: z.string(), message: z.string() }).optional(),
    nextAttemptAt: time.optional(),
    providerId: z.string().optional(),
    registrationId: z.string().optional(),
  })
  .meta({ id: 'Partner' })
export type PartnerView = z.infer<typeof PartnerView>

export const CenterView = z
  .object({
    id: CenterId,
    status: z.enum(centerStates),
    traceId: z.string().nullable().describe('The trace from the registration to the onboarding.'),
    name: z.string().optional().describe('Not there when the registration itself was refused.'),
    city: City.optional().describe('Not there when the registration itself was refused.'),
    failure: z
      .object({ at: time, code: z.enum(['idempotency-conflict', 'not-stored']), message: z.string() })
      .optional()
      .describe('Why a registration that was queued while the broker was away was refused when it was back.'),
    address: z.string().optional(),
    capacity: z.int().nonnegative().optional(),
    partners: z.object({ senninha: PartnerView, maas: PartnerView, dmitri: PartnerView }),
    registeredAt: time,
    onboardedAt: time.optional(),
  })
  .meta({
    id: 'Center',
    examples: [
      {
        id: 'ctr_3f0c9a5b2d7e4c118a6b0d9e5f7a1c22',
        status: 'onboarding',
        traceId: '0af7651916cd43dd8448eb211c80319c',
        ...example,
        partners: {
          senninha: { state: 'done', attempts: 1, providerId: 'sen-1041' },
          maas: { state: 'pending', attempts: 0 },
          dmitri: {
            state: 'waiting',
            attempts: 3,
            lastFailure: {
              at: '2026-11-20T12:00:07.412Z',
              attempt: 3,
              code: 'ECONNREFUSED',
              message: 'connect ECONNREFUSED',
            },
            nextAttemptAt: '2026-11-20T12:00:15.900Z',
          },
        },
        registeredAt: '2026-11-20T12:00:00.000Z',
      },
    ],
  })
export type CenterView = z.infer<typeof CenterView>

export const CenterPage = z
  .object({
    centers: z.array(CenterView),
    next: CenterId.nullable().describe(
      'Give it as `after` for the next page; null on the last. A page may be short or empty and still have one.',
    ),
    links: z.object({ self: z.string(), next: z.string().optional() }),
  })
  .meta({ id: 'CenterPage' })

export const ProblemBody = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    errors: z
      .array(z.object({ in: z.enum(['body', 'header', 'query', 'path']), pointer: z.string(), message: z.string() }))
      .optional()
      .describe('Every fault of the request; `pointer` is a JSON Pointer (RFC 6901) into that part of it.'),
    traceId: z.string().optional(),
  })
  .meta({
    id: 'Problem',
    description: 'RFC 9457 problem details.',
    examples: [
      {
        type: 'urn:malha:problem:invalid-body',
        title: 'The body does not describe a centre',
        status: 422,
        detail: 'Correct the 2 faults listed in `errors` and send the request again.',
        errors: [
          { in: 'body', pointer: '/name', message: 'at most 200 characters' },
          { in: 'body', pointer: '/colour', message: 'unknown field' },
        ],
        traceId: '0af7651916cd43dd8448eb211c80319c',
      },
    ],
  })
export type ProblemBody = z.infer<typeof ProblemBody>
