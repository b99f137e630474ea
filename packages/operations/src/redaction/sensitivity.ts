/** What of a payload may be shown, by what the services of a mesh say of its type. Pure. */
import { type ContractSnapshot, redactorOf, type Redactor, type ServiceContracts } from '@malha/mesh'

/** An event as far as it is needed to know its contracts. */
export type Described = { readonly type: string | undefined; /** Without the namespace. */ readonly subject: string }

/** A payload to show. */
export type ShownPayload = {
  /** With `[redacted]`, `[redacted 2]` and so on in place of what is hidden; empty where all of it is. */
  readonly payload: Uint8Array
  /** How many values are hidden. */
  readonly hidden: number
  /** Why all of it is hidden; undefined where it is not. */
  readonly withheld: string | undefined
}

export type Sensitivity = {
  /** The payload to show. Never throws. */
  show(event: Described & { readonly payload: Uint8Array }): ShownPayload
  /** For the type of an event; why its payload is hidden whole where that is so. */
  redactorFor(event: Described): Redactor | { readonly withheld: string }
}

type Contracts = readonly Pick<ServiceContracts, 'contracts'>[]

/** Types of the mesh itself: nothing of a payload of others is in them but what handlers said of their errors. */
const OWN = /^(mesh|audit)\./

/**
 * By all that services said of their contracts. As long as nothing is marked everything is shown; as soon as anything is, a payload
 * whose contract nobody said is hidden whole.
 */
export function sensitivityOf(services: Contracts): Sensitivity {
  const contracts = services.flatMap((each) => each.contracts)
  const isMarked = redactorOf(contracts.map(({ schema }) => schema)).isMarked
  const known = new Map<string, Redactor>()
  return sensitivity(({ type, subject }) => {
    const own = type !== undefined && OWN.test(type)
    if (!isMarked || own) return PLAIN
    const fitting = contracts.filter((one) => isOf(one, { type, subject }))
    if (fitting.length === 0)
      return {
        withheld: `no service said its contract (type ${type ?? 'not said'}), so nothing says what in it is sensitive`,
      }
    const name = [...new Set(fitting.map((one) => one.type))].join(' ')
    let redactor = known.get(name)
    if (!redactor) known.set(name, (redactor = redactorOf(fitting.map(({ schema }) => schema))))
    return redactor
  })
}

/** Where nothing says what is sensitive, because of an error: everything is hidden. */
export function allWithheld(error: unknown): Sensitivity {
  const why = (error instanceof Error ? error.message : String(error)).slice(0, 200)
  const withheld = `what is sensitive cannot be known: the contracts of the mesh cannot be read (${why})`
  return sensitivity(() => ({ withheld }))
}

const PLAIN: Redactor = redactorOf([])

/** By the type it says, and by the subject it stands under: what says a wrong type is hidden by the right one too. */
const isOf = ({ type }: ContractSnapshot, event: Described): boolean =>
  type === event.type || type === event.subject || event.subject.startsWith(`${type}.`)

function sensitivity(redactorFor: Sensitivity['redactorFor']): Sensitivity {
  return {
    redactorFor,
    show({ payload, ...event }) {
      const redactor = redactorFor(event)
      if ('withheld' in redactor) return withhold(payload, redactor.withheld)
      if (!redactor.isMarked || payload.length === 0) return { payload, hidden: 0, withheld: undefined }
      try {
        const document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as unknown
        const { value, hidden } = redactor.redact(document)
        if (hidden.size === 0) return { payload, hidden: 0, withheld: undefined }
        return { payload: Buffer.from(JSON.stringify(value)), hidden: hidden.size, withheld: undefined }
      } catch {
        return withhold(
          payload,
          'its contract marks something as sensitive, and it is no JSON that could be looked through',
        )
      }
    },
  }
}

const withhold = (payload: Uint8Array, why: string): ShownPayload =>
  payload.length === 0
    ? { payload, hidden: 0, withheld: undefined }
    : { payload: new Uint8Array(), hidden: 0, withheld: why }
