import { isMatch, isObject, isWithin, shown } from '@malha/mesh'
import { DeploymentError } from '../errors.ts'
import measured from './measured.json' with { type: 'json' }

/** A figure that a plan is computed from, and where it comes from. */
export type Constant = { readonly value: number; readonly unit: string; readonly source: string }

/** Points of a measured curve: [bytes of payload, µs], bytes ascending. */
export type Curve = {
  readonly points: readonly (readonly [bytes: number, us: number])[]
  readonly unit: string
  readonly source: string
}

export type ConstantName = keyof (typeof measured)['constants']
export type CurveName = keyof (typeof measured)['curves']

/** All that plans are computed from. */
export type Constants = {
  /** In words, for whoever reads a plan: on what the rates were measured. */
  readonly measuredOn: string
  readonly constants: { readonly [Name in ConstantName]: Constant }
  readonly curves: { readonly [Name in CurveName]: Curve }
}

/** As measured on this project's own machine: `node test/capacity/main.ts` of a clone measures them anew. */
export const measuredConstants: Constants = measured as unknown as Constants

/**
 * Constants of one's own machines, as `test/capacity/main.ts --out` writes them. What is not among them is as measured here.
 * @throws DeploymentError DEPLOYMENT_CONSTANTS with every fault
 */
export function constantsFrom(given: unknown): Constants {
  const faults = isObject(given)
    ? faultsOf(given)
    : [`it is ${shown(given)}; an object, as test/capacity/main.ts writes it`]
  if (faults.length > 0)
    throw new DeploymentError('DEPLOYMENT_CONSTANTS', faults.map((fault) => `\n  - ${fault}`).join(''))
  const { measuredOn = 'machines of your own', constants, curves } = given as Partial<Constants>
  return {
    measuredOn,
    constants: { ...measuredConstants.constants, ...constants },
    curves: { ...measuredConstants.curves, ...curves },
  }
}

function faultsOf(given: Readonly<Record<string, unknown>>): string[] {
  const { measuredOn, constants = {}, curves = {} } = given
  const faults: string[] = []
  if (measuredOn !== undefined && !isMatch(measuredOn, /./)) faults.push('measuredOn is no text')
  if (!isObject(constants)) faults.push(`constants is ${shown(constants)}; an object`)
  if (!isObject(curves)) faults.push(`curves is ${shown(curves)}; an object`)
  if (!isObject(constants) || !isObject(curves)) return faults
  for (const [name, constant] of Object.entries(constants))
    faults.push(...labelFaults(name, constant, measuredConstants.constants), ...valueFaults(name, constant))
  for (const [name, curve] of Object.entries(curves))
    faults.push(...labelFaults(name, curve, measuredConstants.curves), ...pointFaults(name, curve))
  return faults
}

function labelFaults(name: string, given: unknown, known: Readonly<Record<string, { unit: string }>>): string[] {
  if (!Object.hasOwn(known, name)) return [`there is no ${shown(name)}; there are ${Object.keys(known).join(', ')}`]
  if (!isObject(given)) return [`${name} is ${shown(given)}; an object`]
  const { unit, source } = given
  const wanted = known[name]!.unit
  return [
    ...(unit === wanted ? [] : [`${name} is in ${shown(unit)}; it must be in "${wanted}"`]),
    ...(isMatch(source, /\S/) ? [] : [`${name} does not say its source`]),
  ]
}

const valueFaults = (name: string, given: unknown): string[] =>
  !isObject(given) || isWithin(given['value'], 0, Number.MAX_VALUE)
    ? []
    : [`${name} has the value ${shown(given['value'])}; a number from 0`]

function pointFaults(name: string, given: unknown): string[] {
  if (!isObject(given)) return []
  const { points } = given
  const isAscending =
    Array.isArray(points) &&
    points.length >= 2 &&
    (points as unknown[]).every(
      (point, at) =>
        Array.isArray(point) &&
        point.length === 2 &&
        isWithin(point[0], at === 0 ? 1 : (points as number[][])[at - 1]![0]! + 1, Number.MAX_VALUE) &&
        isWithin(point[1], Number.MIN_VALUE, Number.MAX_VALUE),
    )
  return isAscending ? [] : [`${name} needs two points or more, [bytes, µs], bytes ascending`]
}
