/** An order of so many bytes of JSON, as varied as orders are: names and notes of words, numbers, times, ids. */
export function orderOf(bytes: number): (n: number) => object {
  return (n) => {
    const draw = drawing(n)
    const order = {
      orderId: `o-${String(n).padStart(10, '0')}`,
      customer: `${wordOf(draw)} ${wordOf(draw)}`,
      placedAt: new Date(Date.UTC(2026, 0, 1) + n * 1373 + draw(1000)).toISOString(),
      totalCents: draw(1_000_000),
      lines: [] as object[],
      note: '',
    }
    let length = JSON.stringify(order).length
    while (length + LINE_BYTES < bytes) {
      const line = {
        sku: `${wordOf(draw).slice(0, 3)}-${draw(100_000)}`,
        title: `${wordOf(draw)} ${wordOf(draw)}`,
        quantity: draw(12),
        cents: draw(100_000),
      }
      length += JSON.stringify(line).length + (order.lines.length === 0 ? 0 : 1)
      order.lines.push(line)
    }
    if (length > bytes) throw new Error(`an order has ${length} bytes at least, not ${bytes}`)
    while (length < bytes) {
      const word = ` ${wordOf(draw)}`.slice(0, bytes - length)
      order.note += word
      length += word.length
    }
    return order
  }
}

/** The smallest there is. */
export const LEAST_BYTES = 160
/** What one more line takes at most. */
const LINE_BYTES = 110

const SYLLABLES = 'ba ce di fo gu la me ni po ru sa te vi xo zu bra cla dri fle gro pla sta tre vin lhor'.split(' ')

/** Of two to four syllables: some hundred thousand words, as a language has. */
const wordOf = (draw: (most: number) => number): string =>
  Array.from({ length: 2 + draw(3) }, () => SYLLABLES[draw(SYLLABLES.length)]).join('')

/** Whole numbers below `most` that look random, the same for one seed (mulberry32). */
function drawing(seed: number): (most: number) => number {
  let state = seed | 0
  return (most) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * most)
  }
}
