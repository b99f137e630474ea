/** Quantities as people write them; undefined where a text is none. */

type Units = Readonly<Record<string, number>>

const COUNTS: Units = { '': 1, k: 1e3, M: 1e6, G: 1e9 }
const LENGTHS: Units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZES: Units = {
  '': 1,
  b: 1,
  ...Object.fromEntries(
    ['k', 'm', 'g', 't', 'p'].flatMap((prefix, at) => [
      [`${prefix}b`, 1000 ** (at + 1)],
      [`${prefix}ib`, 1024 ** (at + 1)],
    ]),
  ),
}

/** `5000`, `5k`, `1.5M`. */
export const countOf = (text: string): number | undefined => read(text, COUNTS)

/** `20ms`, `90s`, `30m`, `2h`, `1.5d`, in ms. */
export const lengthOf = (text: string): number | undefined => read(text, LENGTHS)

/** `512`, `1.5KiB`, `64kB`, `100GiB`, in whole bytes. Upper and lower case are one. */
export function sizeOf(text: string): number | undefined {
  const bytes = read(text.toLowerCase(), SIZES)
  return bytes === undefined ? undefined : Math.round(bytes)
}

/** `0.001`, `0.1%`; 0 to 1. */
export function shareOf(text: string): number | undefined {
  const share = read(text, { '': 1, '%': 0.01 })
  return share === undefined || share > 1 ? undefined : share
}

function read(text: string, units: Units): number | undefined {
  const [, number, unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z%]*)$/.exec(text.trim()) ?? []
  if (number === undefined || !Object.hasOwn(units, unit)) return undefined
  return Number(number) * units[unit]!
}
