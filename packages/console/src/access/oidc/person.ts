import type { Actor } from '../guard.ts'
import { type Role, roles } from '../role.ts'
import type { ResolvedOidc } from './options.ts'

/** What an issuer says of somebody. */
export type Claims = Readonly<Record<string, unknown>> & { readonly sub: string }

/** Who it is by what his issuer says, and what he may do; undefined where that is nothing. Pure. */
export function actorFrom(claims: Claims, options: Pick<ResolvedOidc, 'roleClaim' | 'roles'>): Actor | undefined {
  const role = roleOf(claimAt(claims, options.roleClaim), options.roles)
  return role && { name: nameOf(claims), role }
}

/** The highest that one of the values gives. */
function roleOf(claim: unknown, values: ResolvedOidc['roles']): Role | undefined {
  const said: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return roles.findLast((role) => (values[role] ?? []).some((value) => said.includes(value)))
}

/** A claim of that very name, or the way to one: some names are URLs with dots in them. */
export function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let place: unknown = claims
  for (const step of name.split('.'))
    place =
      typeof place === 'object' && place !== null && Object.hasOwn(place, step) ? (place as Claims)[step] : undefined
  return place
}

const LONGEST = 90

/**
 * What is written down with what he does. An address that the issuer verified names him alone; whatever else he calls himself
 * somebody else may too, so his subject stands with it.
 */
function nameOf({ sub, ...claims }: Claims): string {
  const text = (name: string): string => (typeof claims[name] === 'string' ? claims[name].trim().slice(0, LONGEST) : '')
  if (claims['email_verified'] === true && text('email') !== '') return text('email')
  const called = text('preferred_username') || text('email') || text('name')
  const subject = sub.slice(0, LONGEST)
  return called === '' || called === subject ? subject : `${called} (${subject})`
}
