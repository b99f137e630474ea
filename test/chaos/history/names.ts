/** Texts by number, from 0 in the order in which they came. */
export interface Names {
  readonly size: number
  /** Its number; a new one for a new text. */
  number(text: string): number
  /** Its number, where it has one. */
  find(text: string): number | undefined
  /** Throws for a number that was never given. */
  text(number: number): string
}

export function names(): Names {
  const numbers = new Map<string, number>()
  const texts: string[] = []
  return {
    get size() {
      return texts.length
    },
    number(text) {
      const known = numbers.get(text)
      if (known !== undefined) return known
      numbers.set(text, texts.length)
      return texts.push(text) - 1
    },
    find: (text) => numbers.get(text),
    text(number) {
      const text = texts[number]
      if (text === undefined) throw new RangeError(`there is no name with the number ${number}`)
      return text
    },
  }
}
